"""Time and memory of cnnref beside torch, paired in one run, one thread each.

Time: both are called in turn, many rounds; each round gives one ratio, and the median and the
middle half of the ratios are printed. Memory: each call runs once in a fresh process, which
reports how far its peak resident memory rose during the call.

Import this before NumPy and torch: it holds their pools to one thread.
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
    os.environ[variable] = "1"

import numpy as np
import torch

ROUNDS = 25
SECONDS_A_ROUND = 0.05


def seconds(call, repeats):
    """Return the mean time of a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def peak_memory(warm, call):
    """Return by how many bytes the peak resident memory rises during one call."""
    warm()  # a small call first, so that the libraries' own one-time buffers are not counted
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


def main(cases, warm):
    """Print one row per case.

    Args:
        cases: For each name, a function that returns the pair of ways to compute it, cnnref's and
            torch's, as functions without arguments.
        warm: The name of a small case, called before memory is measured.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "WHICH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        name, which = arguments.memory
        print(peak_memory(cases[warm]()[int(which)], cases[name]()[int(which)]))
        return

    print(
        f"numpy {np.__version__}, torch {torch.__version__}, one thread; "
        "ratio = cnnref / torch, median of paired rounds [middle half]"
    )
    print(
        f"{'case':56} {'cnnref':>10} {'torch':>10} {'ratio':>6} {'':13} "
        f"{'cnnref MB':>10} {'torch MB':>9}"
    )
    for name, case in cases.items():
        ours, theirs = case()
        expected = theirs().numpy()
        difference = np.abs(ours() - expected).max() / np.abs(expected).max()
        assert difference < 1e-4, f"{name}: results differ by {difference} of the largest"
        repeats = max(1, int(SECONDS_A_ROUND / seconds(theirs, 3)))
        times = [(seconds(ours, repeats), seconds(theirs, repeats)) for _ in range(ROUNDS)]
        low, middle, high = statistics.quantiles([a / b for a, b in times], n=4)
        mine, other = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        memory = [_in_a_fresh_process(name, which) / 1e6 for which in (0, 1)]
        print(
            f"{name:56} {mine:7.3f} ms {other:7.3f} ms {middle:6.2f} [{low:4.2f}, {high:4.2f}] "
            f"{memory[0]:10.1f} {memory[1]:9.1f}"
        )


def _in_a_fresh_process(name, which):
    command = [sys.executable, sys.argv[0], "--memory", name, str(which)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
