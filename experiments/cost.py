"""What multiply-adds do not tell: the time of training and inference, and multiply-adds per second.

Times are CPU seconds of one thread. They depend on the machine, so only ratios are worth keeping.
The variants are measured in turn, and each ratio is taken within a turn, so that a machine that
slows down for a while slows both sides.

    python -m experiments.cost
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from experiments.results import write

TURNS = 25
SIDE = 28
CHANNELS = 128
LAYERS = {  # kernel size, groups
    "3×3": (3, 1),
    "1×1": (1, 1),
    "depthwise 3×3": (3, CHANNELS),
}


def main() -> None:
    """Measure and store the times."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results = {
        "settings": {"turns": TURNS, "side": SIDE, "channels": CHANNELS},
        "training": training_times(),
        "layers": layer_times(),
    }
    write("cost", __file__, results)


def small_vgg() -> nn.Sequential:
    """Return the convolutions of VGG-16 with a quarter of the channels, and a classifier."""
    net, channels = nn.Sequential(), 3
    for filters, repeats in ((16, 2), (32, 2), (64, 3), (128, 3), (128, 3)):
        for _ in range(repeats):
            net.extend([nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()])
            channels = filters
        net.append(nn.MaxPool2d(2))
    return net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)])


def training_times() -> dict[str, Any]:
    """Return the ratios of a training step's time to that of inference on the same images."""
    net = small_vgg()
    images, labels = torch.randn(8, 3, 96, 96), torch.arange(8)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)

    def infer() -> None:
        with torch.inference_mode():
            net(images)

    def train() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(net(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    times = in_turn({"inference": infer, "training": train})
    pairs = zip(times["training"], times["inference"], strict=True)
    return {"ratios": [round(step / forward, 3) for step, forward in pairs]}


def layer_times() -> dict[str, Any]:
    """Return the multiply-adds per second of three layers, in units of those of the first."""
    images = torch.randn(8, CHANNELS, SIDE, SIDE)

    def runs(layer: nn.Conv2d) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                layer(images)

        return run

    macs, calls = {}, {}
    for name, (kernel, groups) in LAYERS.items():
        layer = nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=kernel // 2, groups=groups)
        macs[name] = len(images) * SIDE**2 * layer.weight.numel()
        calls[name] = runs(layer)
    times = in_turn(calls)
    first = next(iter(LAYERS))
    speeds = {name: [macs[name] / t for t in times[name]] for name in LAYERS}
    return {
        name: {
            "giga_macs_per_second": round(statistics.median(speeds[name]) / 1e9, 3),
            "ratios": [round(a / b, 3) for a, b in zip(speeds[name], speeds[first], strict=True)],
        }
        for name in LAYERS
    }


def in_turn(calls: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return the CPU seconds of each call in each turn, after one turn that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(TURNS + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:
                times[name].append(time.process_time() - start)
    return times


if __name__ == "__main__":
    main()
