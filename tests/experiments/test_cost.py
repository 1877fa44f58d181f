from __future__ import annotations

import statistics

from experiments.cost import in_turn, small_vgg
from experiments.results import read


def test_calls_take_turns_and_the_first_turn_is_not_counted(monkeypatch):
    monkeypatch.setattr("experiments.cost.TURNS", 2)
    order = []
    times = in_turn({name: lambda name=name: order.append(name) for name in "ab"})
    assert order == list("ababab")
    assert {name: len(found) for name, found in times.items()} == {"a": 2, "b": 2}


def test_the_small_network_has_the_convolutions_of_vgg16_with_a_quarter_of_the_channels():
    filters = [layer.out_channels for layer in small_vgg() if hasattr(layer, "out_channels")]
    assert filters == [16, 16, 32, 32, 64, 64, 64, 128, 128, 128, 128, 128, 128]


def test_stored_ratios_say_what_the_page_says():
    stored = read("cost").data
    assert 2 < statistics.median(stored["training"]["ratios"]) < 4
    depthwise = statistics.median(stored["layers"]["depthwise 3×3"]["ratios"])
    assert depthwise < statistics.median(stored["layers"]["1×1"]["ratios"]) < 1
