"""Time and memory of cnnref.conv2d beside torch's, paired in one run, one thread each.

Run it with ``make bench``. Time: both are called in turn, many rounds; each round gives one
ratio, and the median and the middle half of the ratios are printed. Memory: each call runs once
in a fresh process, which reports how far its peak resident memory rose during the call.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy and torch start their pools

import numpy as np
import torch

import cnnref

CASES = {
    "1×3×32×32, 16 of 3×3": ((1, 3, 32, 32), (16, 3, 3, 3), {}),
    "8×3×224×224, 64 of 7×7, stride 2": (
        (8, 3, 224, 224),
        (64, 3, 7, 7),
        {"stride": 2, "padding": 3},
    ),
    "8×64×56×56, 64 of 3×3": ((8, 64, 56, 56), (64, 64, 3, 3), {"padding": 1}),
    "8×256×14×14, 256 of 3×3, dilation 2": (
        (8, 256, 14, 14),
        (256, 256, 3, 3),
        {"padding": 2, "dilation": 2},
    ),
}
ROUNDS = 25
SECONDS_A_ROUND = 0.05


def calls(name):
    """Return the two ways to compute a case, as functions without arguments."""
    shape, filters, options = CASES[name]
    generator = np.random.default_rng(0)
    x = generator.standard_normal(shape, dtype=np.float32)
    w = generator.standard_normal(filters, dtype=np.float32)
    tensor, weight = torch.from_numpy(x), torch.from_numpy(w)

    def by_torch():
        with torch.inference_mode():
            return torch.nn.functional.conv2d(tensor, weight, **options)

    return {"cnnref": lambda: cnnref.conv2d(x, w, **options), "torch": by_torch}


def seconds(call, repeats):
    """Return the mean time of a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def peak_memory(name, which):
    """Return by how many bytes the peak resident memory rises during one call, warmed up."""
    # A small call first, so that the libraries' own one-time buffers are not counted.
    warm = calls("1×3×32×32, 16 of 3×3")[which]
    warm()
    call = calls(name)[which]
    # Linux lets a process reset its own peak; macOS does not, and ru_maxrss serves less exactly.
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = _status("VmRSS")
        call()
        return _status("VmHWM") - before
    except OSError:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def _status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def main():
    """Print one row a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "WHICH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        print(peak_memory(*arguments.memory))
        return

    print(
        f"numpy {np.__version__}, torch {torch.__version__}, one thread; "
        "ratio = cnnref / torch, median of paired rounds [middle half]"
    )
    print(
        f"{'case':38} {'cnnref':>10} {'torch':>10} {'ratio':>6} {'':13} "
        f"{'cnnref MB':>10} {'torch MB':>9}"
    )
    for name in CASES:
        pair = calls(name)
        difference = np.abs(pair["cnnref"]() - pair["torch"]().numpy()).max()
        assert difference < 1e-3, f"{name}: results differ by {difference}"
        repeats = max(1, int(SECONDS_A_ROUND / seconds(pair["torch"], 3)))
        times = [
            (seconds(pair["cnnref"], repeats), seconds(pair["torch"], repeats))
            for _ in range(ROUNDS)
        ]
        ratios = [ours / theirs for ours, theirs in times]
        low, middle, high = statistics.quantiles(ratios, n=4)
        ours, theirs = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        memory = {
            which: int(
                subprocess.run(
                    [sys.executable, __file__, "--memory", name, which],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
            / 1e6
            for which in pair
        }
        print(
            f"{name:38} {ours:7.3f} ms {theirs:7.3f} ms {middle:6.2f} [{low:4.2f}, {high:4.2f}] "
            f"{memory['cnnref']:10.1f} {memory['torch']:9.1f}"
        )


if __name__ == "__main__":
    main()
