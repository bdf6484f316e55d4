"""What is said of a network's layers, against figures that are known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.study import (
    network,
    network_counts,
    network_errors,
    network_guidelines,
    network_lint,
    network_timing,
    network_words,
    reference,
)
from pyconv.study.cost import convolution_cost
from pyconv.study.network_traffic import Range, Traffic, distances, level_of, ranges_of, traffic
from pyconv.study.timing import Timing


def small(accuracy="fast"):
    nn.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 20, 3, padding=1), nn.MaxPool2d(2),
        nn.Conv2d(20, 32, 1), nn.Flatten(), nn.Linear(32 * 64, 10),
    )  # fmt: skip
    return pyconv.compile(net, (1, 3, 16, 16), accuracy=accuracy)


def made(**changes):
    """A layer of known figures: 1.00 M MACs of 200 GFLOP/s take 10 us."""
    values = {
        "index": 0, "name": "conv1", "op": "conv", "absorbed": (), "problem": "ic16oc16_ih8kh3ph1",
        "shape": (1, 16, 8, 8), "algorithm": "direct", "kernels": "", "threads": 1, "parameters": 1,
        "macs": 1_000_000, "padding_macs": 0, "executed_macs": 1_000_000, "traffic": (moved("source", 1000, "L1"),),
        "workspace_offset": 0, "workspace_bytes": 0, "places": (), "compute_s": 1e-5, "estimate_s": 1.1e-5,
        "isa": "avx2",
    }  # fmt: skip
    return network.Layer(**{**values, **changes})


def moved(kind, size, level, seconds=1e-9):
    return Traffic(kind, kind, size, level, size, seconds)


def timed(seconds, spread=0.0):
    return Timing("t", (seconds, seconds * (1 + spread), seconds * (1 + 2 * spread)))


@pytest.mark.parametrize(
    "line",
    [
        "ic3oc4_ih7kh3ph1",
        "g2ic4oc6_ih9iw5kh5kw3sh2ph2pw1",
        "ic1oc1_ih6kh3dh2ph4",
        "ic2oc2_ih4kh2pt0pl1pb1pr0",
    ],
)
def test_padding_macs_against_counting(line):
    p = pyconv.Conv2dProblem(line)
    inside = 0
    for y in range(p.oh):
        for x in range(p.ow):
            for i in range(p.kh):
                for j in range(p.kw):
                    row, column = y * p.sh - p.pt + i * p.dh, x * p.sw - p.pl + j * p.dw
                    inside += 0 <= row < p.ih and 0 <= column < p.iw
    assert network_counts.padding_macs(p) == p.macs - p.mb * p.oc * p.ic // p.g * inside


@pytest.mark.parametrize("m, side, tiles", [(2, 7, 16), (4, 8, 4), (4, 9, 9), (6, 6, 1)])
def test_winograd_multiplies_once_per_element_of_a_tile(m, side, tiles):
    if m < 6:
        halved = pyconv.Conv2dProblem(f"mb2ic3oc5_ih{2 * side}kh3sh2ph1")
        assert network_counts.executed_macs(f"winograd_f{m}", halved) == 2 * tiles * (2 * m + 1) ** 2 * 15
    p = pyconv.Conv2dProblem(f"mb2ic3oc5_ih{side}kh3ph1")
    assert network_counts.executed_macs(f"winograd_f{m}", p) == 2 * tiles * (m + 2) ** 2 * 15
    assert network_counts.executed_macs("direct", p) == convolution_cost(p).macs
    assert network_counts.executed_macs("separable", p) is None


def test_distances_are_those_of_a_run_after_a_run():
    def touched(kind, name, space, offset, size):
        return Range(kind, name, space, offset, size)

    first = [touched("source", "in", "input x", 0, 10), touched("destination", "a", "arena", 0, 100)]
    second = [touched("source", "a", "arena", 0, 100), touched("weights", "w", "weights of 2", 0, 1000),
              touched("destination", "b", "arena", 100, 50)]  # fmt: skip
    third = [touched("source", "b", "arena", 100, 50), touched("destination", "out", "output y", 0, 6)]
    found = distances([first, second, third])
    assert found[1][0] == (100 + 150) // 2 + (10 + 1000) // 2  # just written
    assert found[1][1] == 10 + 6 + 1000 + 150  # a whole run ago; the arena has 150 bytes
    assert found[0][1] == 150 + 6 + (1000 + 10) // 2  # the addresses of `a`, last read by the second step
    assert found[2][0] == (150 + 50) // 2 + (1000 + 6) // 2


def test_traffic_counts_every_operand_once(roofline):
    model = small()
    steps = model._core.steps()
    for step, operands in zip(steps, traffic(steps, roofline)):
        weights = sum(t["bytes"] for t in step["inputs"] if t and t["space"] == "constant")
        activations = sum(t["bytes"] for t in (*step["inputs"], *step["outputs"]) if t) - weights
        assert sum(t.bytes for t in operands) == activations + weights + step["packed_bytes"]
        for t in operands:
            assert t.level == level_of(t.distance, roofline) and t.seconds > 0


def test_levels_hold_less_where_they_are_shared(roofline):
    at = {name: level_of(size, roofline) for name, size in roofline.capacity.items()}
    assert at == {"L1": "L1", "L2": "L2", "L3": "DRAM"}
    assert level_of(roofline.capacity["L3"] // 2, roofline) == "L3"


def test_a_slice_touches_what_it_takes():
    def tensor(name, size):
        return {"name": name, "space": "arena", "offset": 0, "bytes": size}

    step = {"op": "slice", "inputs": [tensor("x", 100)], "outputs": [tensor("y", 40)], "packed_bytes": 0,
            "workspace_bytes": 0}  # fmt: skip
    assert [r.bytes for r in ranges_of(step)] == [40, 40]


def test_counts_of_a_network(roofline):
    found = network.study(small(), name="small", roofline=roofline)
    assert [layer.op for layer in found.layers if layer.macs] == ["conv", "conv", "conv", "linear"]
    assert found.macs == 256 * 16 * 27 + 256 * 20 * 144 + 64 * 32 * 20 + 2048 * 10
    assert not found.measured
    for layer in found.layers:
        assert layer.predicted_s >= layer.bound_s == max(layer.compute_s, layer.memory_s)
        assert layer.compute_s == pytest.approx(2 * layer.executed_macs / 200e9)


def test_a_cycle_is_two_vectors(roofline):
    assert network.cycles_per_second(roofline) == pytest.approx(200e9 / (2 * 2 * 8))
    both = dataclasses.replace(roofline, threads=2)
    assert network.cycles_per_second(both) == pytest.approx(100e9 / (2 * 2 * 8))


def test_json_has_every_figure(roofline):
    document = json.loads(json.dumps(network.study(small(), roofline=roofline).as_dict()))
    assert document["version"] == network.VERSION
    assert len(document["layers"]) == len(small().describe()["steps"])
    layer = document["layers"][0]
    assert {"macs", "executed_macs", "padding_macs", "traffic", "intensity", "bound_s", "predicted_s", "limit",
            "share", "workspace_bytes", "candidates", "sentence", "timing"} <= set(layer)  # fmt: skip
    assert any(not c["accepted"] and c["reason"] for c in layer["candidates"])
    assert document["totals"]["macs"] == sum(x["macs"] for x in document["layers"])


def test_measured(roofline):
    said = []
    found = network.study(small(), measure=True, seconds=0.3, roofline=roofline, on_step=said.append)
    assert said[0] == "the network" and len(said) > 1
    assert found.measured and found.conditions is not None
    assert found.roofline.peak_gflops != roofline.peak_gflops  # that of the same minutes
    for layer in found.layers:
        assert layer.seconds > 0 and layer.share > 0 and len(layer.timing.samples) >= 3
    rivals = [c for layer in found.layers for c in layer.candidates if c.ratio]
    assert rivals and all(c.accepted and c.timing.median > 0 for c in rivals)
    assert all(c.algorithm != layer.algorithm for layer in found.layers for c in layer.candidates if c.ratio)
    json.dumps(found.as_dict())


@pytest.mark.parametrize(
    "line",
    [
        "ic3oc4_ih7kh3ph1",
        "g2ic4oc6_ih9iw5kh5kw3sh2ph2pw1",
        "mb2g4ic4oc8_ih6kh3dh2ph4",
        "ic2oc2_ih4kh2pt0pl1pb1pr0",
    ],
)
def test_float64_at_pixels_is_the_reference(line):
    p = pyconv.Conv2dProblem(line)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((p.mb, p.ih, p.iw, p.ic)).astype(np.float32)
    weight = rng.standard_normal((p.oc, p.ic // p.g, p.kh, p.kw)).astype(np.float32)
    whole = reference.conv2d(x, weight, stride=(p.sh, p.sw), padding=(p.pt, p.pb, p.pl, p.pr),
                             dilation=(p.dh, p.dw), groups=p.g)  # fmt: skip
    pixels = list(np.ndindex(p.mb, p.oh, p.ow))
    found = network_errors.at(p, x, weight, pixels).reshape(whole.shape)
    # Two float64 sums of the same K products in other orders: (K + 2) u64 of the sum of magnitudes.
    terms = p.ic // p.g * p.kh * p.kw
    assert (
        np.abs(found - whole).max()
        <= 2 * (terms + 2) * 2.0**-53 * terms * np.abs(x).max() * np.abs(weight).max()
    )


def test_errors_of_all_algorithms_that_ran(roofline):
    found = network.study(small(), measure=True, seconds=0.4, roofline=roofline)
    for layer in found.layers:
        for c in layer.candidates:
            if c.ratio or c.algorithm == layer.algorithm:
                assert 0 < c.error < 1e-3, (layer.name, c.algorithm)
            elif not c.accepted:
                assert c.error is None
    assert network_errors.errors([("ic1oc1_ih3kh1", "direct")], seconds=-1) == {}


def test_trials_try_every_likely_algorithm_once():
    def step(name, taken, **costs):
        return {
            "name": name,
            "algorithm": taken,
            "candidates": [(a, True, "", c, 0) for a, c in costs.items()],
        }

    steps = [step("a", "direct", direct=1.0, im2col=2.0, planar=3.0, reference=0.1, slow=99.0),
             step("b", "im2col", direct=2.0, im2col=1.0)]  # fmt: skip
    steps[0]["candidates"].append(("pointwise", False, "no", 0.0, 0))
    # `reference` would be least: what is never tried must not make the others hopeless.
    assert network_timing.trials(steps) == [{"a": "im2col", "b": "direct"}, {"a": "planar"}]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({}, "Arithmetic binds: 1.00 M MACs take at least 10.0 µs at the FMA peak; expect 11.0 µs by"),
        ({"estimate_s": None}, "at the FMA peak; expect no less."),
        (
            {"traffic": (moved("weights", 4000, "DRAM", 2e-5),)},
            "Memory binds: 4.00 kB of weights from DRAM, 20.0 µs in all, 500.0 FLOP/byte; expect no less.",
        ),
        ({"timing": timed(1.1e-5)}, "Arithmetic binds: 1.00 M MACs in 11.0 µs, 91 % of the FMA peak; only fewer"),
        (
            {"timing": timed(2.2e-5), "traffic": (moved("weights", 4000, "DRAM", 2e-5),)},
            "from DRAM and the rest take 20.0 µs of 22.0 µs at 500.0 FLOP/byte; a larger batch",
        ),
        (
            {"timing": timed(1.5e-5), "traffic": (moved("weights", 4000, "DRAM", 2e-5),)},
            "15.0 µs is less than that should take (20.0 µs), so part lay nearer",
        ),
        (
            {"macs": 0, "executed_macs": 0, "compute_s": 0.0, "timing": timed(1e-5),
             "traffic": (moved("source", 4000, "L2", 9e-6),)},
            "4.00 kB of input from the L2 cache",
        ),
        ({"timing": timed(4e-5, 0.4)}, "25 % of what arithmetic allows: the rounds differ by"),
        ({"timing": timed(5e-6), "compute_s": 1e-6}, "so short a step is mostly starting and finishing"),
        (
            {"timing": timed(2e-5), "algorithm": "winograd_f4", "executed_macs": 250_000},
            "250 k of the definition's 1.00 M MACs in 20.0 µs, 50 % of what arithmetic allows: the transforms",
        ),
        (
            {"timing": timed(2e-5), "algorithm": "depthwise", "shape": (1, 100, 100, 10), "macs": 900_000,
             "executed_macs": 900_000},
            "each output takes 9 multiply-adds only",
        ),
        ({"timing": timed(2e-5), "shape": (1, 9, 8, 8)}, "9 channels fill 56 % of the vector lanes"),
        ({"timing": timed(2e-5), "shape": (1, 16, 2, 2)}, "each weight is fetched for 4 outputs only"),
        ({"timing": timed(2e-5), "estimate_s": 1.8e-5}, "the algorithm's estimate of 18.0 µs counts"),
        ({"timing": timed(2e-5)}, "neither arithmetic nor memory explains the rest"),
    ],
)  # fmt: skip
def test_sentences(changes, said):
    sentence = network_words.sentence(made(**changes))
    assert said in sentence and sentence.endswith(".") and "None" not in sentence and "nan" not in sentence


def test_a_faster_algorithm_is_named():
    def candidate(ratio, spread):
        return network.Candidate("planar", True, "", 1.0, 1e-5, 0, 1, timed(1e-5, spread), ratio)

    layer = made(timing=timed(1.1e-5), candidates=(candidate(0.8, 0.0),))
    said = "planar was measured 1.2x as fast: compile with algorithms={'conv1': 'planar'}."
    assert network_words.sentence(layer).endswith(said)
    noisy = made(timing=timed(1.1e-5), candidates=(candidate(0.8, 0.2),))
    assert "planar" not in network_words.sentence(noisy)


def test_every_layer_has_a_sentence(roofline):
    for layer in network.study(small(), roofline=roofline).layers:
        sentence = network_words.sentence(layer)
        assert sentence.startswith(("Arithmetic binds: ", "Memory binds: ")), sentence


def test_summary_accounts_for_all_the_time(roofline):
    found = network.study(small(), roofline=roofline)
    assert "by the algorithms' estimates" in network_words.summary(found)
    layers = [made(timing=timed(1.1e-5)), made(timing=timed(3.3e-5))]
    timed_network = dataclasses.replace(found, layers=layers, whole=timed(4.4e-5))
    assert network_words.summary(timed_network) == (
        "2.00 M MACs in 44.0 µs, 45 % of the roofline: 25 % of the time goes to layers bound by arithmetic, "
        "0 % to layers bound by memory, and 75 % to layers that no bound explains."
    )


def test_summary_of_a_disturbed_measurement(roofline):
    found = network.study(small(), roofline=roofline)
    noisy = dataclasses.replace(found, layers=[made(timing=timed(1e-5))], whole=timed(1e-5, 0.5))
    assert network_words.summary(noisy).endswith(
        "; but its rounds differ by 33 %: repeat it when the machine is idle."
    )


def rules(layers, **options):
    return {finding.rule: finding for finding in network_lint.findings(layers, **options)}


def test_lint_of_a_clean_network():
    assert rules([made(timing=timed(1e-5))]) == {}


def test_lint_width():
    layer = made(problem="ic16oc9_ih8kh3ph1", shape=(1, 9, 8, 8), timing=timed(1.6e-5))
    found = rules([layer])["width"]
    assert found.text == "9 output channels leave 44 % of the lanes idle, as vectors hold 8 (conv1)."
    assert found.seconds == pytest.approx(1.6e-5 * 7 / 16)
    measured = rules([layer], measure=True)["width"].text
    assert "; 16 channels were measured to take" in measured and measured.endswith("for 1.8x the channels.")
    depthwise = made(problem="g9ic9oc9_ih8kh3ph1", shape=(1, 9, 8, 8))
    assert "16 channels were measured" in rules([depthwise], measure=True)["width"].text


def test_lint_width_leaves_vectors_of_pixels_alone():
    assert rules([made(problem="ic16oc9_ih8kh3ph1", shape=(1, 9, 8, 8), algorithm="planar")]) == {}


def test_lint_batch_norm():
    layers = [made(timing=timed(3e-5)), made(op="batch_norm", name="norm1", problem="", timing=timed(1e-5))]
    found = rules(layers)["batch_norm"]
    assert found.seconds == pytest.approx(1e-5)
    assert found.text.startswith("1 batch norm not fused (norm1): 10.0 µs, 25 % of a run.")


def test_lint_groups():
    layer = made(problem="g4ic16oc16_ih8kh3ph1", timing=timed(1e-5))
    text = rules([layer])["groups"].text
    assert (
        text
        == "4 groups of 4 channels (conv1): narrower than a vector, for 1/4 of the dense convolution's MACs."
    )
    assert "MACs, measured 1/" in rules([layer], measure=True)["groups"].text
    assert "groups" not in rules([made(problem="g16ic16oc16_ih8kh3ph1")])  # depthwise


def test_lint_padding():
    layer = made(padding_macs=400_000, timing=timed(1e-5), problem="ic16oc16_ih3kh3ph1")
    found = rules([layer])["padding"]
    assert found.seconds == pytest.approx(4e-6)
    assert found.text.startswith("40 % of the taps of conv1 fall on padding (3x3 on 3x3): ")
    assert "padding" not in rules([made(padding_macs=100_000)])


def test_lint_padding_names_dead_taps():
    layer = made(padding_macs=800_000, timing=timed(1e-5), problem="ic16oc16_ih1kh3ph1")
    assert "; 8 of its 9 taps never meet a pixel." in rules([layer])["padding"].text
    assert ", and without them it was measured to take" in rules([layer], measure=True)["padding"].text


@pytest.mark.parametrize(
    "problem, kept",
    [
        ("ic2oc3_ih1kh3ph1", "ic2oc3_ih1kh1"),
        ("ic2oc3_ih9iw1kh3ph1", "ic2oc3_ih9iw1kh3kw1ph1pw0"),
        ("ic2oc3_ih33kh3dh36ph36", "ic2oc3_ih33kh1"),
        ("ic2oc3_ih2kh5ph2", "ic2oc3_ih2kh3ph1"),
        ("g2ic2oc2_ih2kh7sh2ph3", "g2ic2oc2_ih2kh2sh2"),
    ],
)
def test_taps_that_meet_no_pixel(problem, kept):
    """What is left computes the same."""
    p, q = pyconv.Conv2dProblem(problem), network_guidelines.without_dead_taps(pyconv.Conv2dProblem(problem))
    assert str(q) == str(pyconv.Conv2dProblem(kept)) and (q.oh, q.ow) == (p.oh, p.ow)
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (p.mb, p.ih, p.iw, p.ic)).astype(np.float32)
    w = rng.integers(-4, 5, (p.oc, p.ic // p.g, p.kh, p.kw)).astype(np.float32)
    top, left = (p.pt - q.pt) // p.dh, (p.pl - q.pl) // p.dw
    whole = pyconv.Conv2dPlan(p, w, layout="nhwc")(x)
    cropped = np.ascontiguousarray(w[:, :, top : top + q.kh, left : left + q.kw])
    np.testing.assert_array_equal(whole, pyconv.Conv2dPlan(q, cropped, layout="nhwc")(x))


def test_taps_that_all_meet_pixels_stay():
    assert network_guidelines.without_dead_taps(pyconv.Conv2dProblem("ic2oc3_ih3kh3ph1")) is None


def test_lint_unequal_widths():
    layer = made(problem="ic16oc256_ih8kh1", shape=(1, 256, 8, 8), timing=timed(1e-5))
    found = rules([layer])["unequal_widths"]
    # 64 (16 + 256) + 16 * 256 floats against 64 (64 + 64) + 64 * 64
    assert found.text == (
        "16 to 256 channels by 1x1 (conv1) move 1.8x the bytes of 64 to 64, which are as many MACs."
    )
    assert found.seconds is None
    measured = rules([layer, layer], measure=True)["unequal_widths"]
    assert "; measured, they take" in measured.text and 0 <= measured.seconds <= 2e-5
    assert "unequal_widths" not in rules([made(problem="ic64oc64_ih8kh1")])


def test_lint_fragments():
    def reader(name, oc):
        return made(name=name, problem=f"ic32oc{oc}_ih8kh1", shape=(1, oc, 8, 8), timing=timed(1e-5))

    layers = [reader("a", 16), reader("b", 24), reader("c", 32)]
    found = rules(layers)["fragments"]
    said = "3 convolutions of 1x1 read the same 32 channels (a, b, c): one of 72 channels would read them once."
    assert found.text == said
    assert found.layers == ("a", "b", "c")
    measured = network_guidelines.fragments(layers, lambda problem, other: 0.5)
    assert "one of 72 channels was measured to take 0.67x the time of the 3" in measured[0].text
    assert measured[0].seconds == pytest.approx(1e-5)
    assert network_guidelines.fragments(layers, lambda problem, other: 0.3) == []  # three take less than one
    assert "fragments" not in rules([reader("a", 16), made(problem="ic32oc16_ih8kh3ph1")])


def test_lint_steps_that_multiply_nothing():
    layers = [made(timing=timed(3e-5)), made(op="add", name="sum", problem="", timing=timed(1e-5)),
              made(op="transpose", name="shuffle", problem="", timing=timed(2e-5))]  # fmt: skip
    found = rules(layers)
    assert list(found) == ["moves", "elementwise"]  # the dearest first
    assert "1 step only moves data (shuffle): 20.0 µs, 33 % of a run" in found["moves"].text
    assert "elementwise" not in rules([made(timing=timed(1e-3)), *layers[1:2]])


def test_threads_share_the_work(roofline):
    both = dataclasses.replace(roofline, threads=2)
    found, alone = network.study(small(), roofline=both), network.study(small(), roofline=roofline)
    for layer, other in zip(found.layers, alone.layers):  # one thread of two has half of the peak
        assert layer.compute_s == pytest.approx(2 * layer.executed_macs / 100e9)
        assert layer.memory_s == pytest.approx(2 * other.memory_s)


def test_zeros_match_the_inputs():
    (x,) = network_timing.zeros(small())
    assert x.shape == (1, 3, 16, 16) and x.dtype == np.float32
