"""Compiled networks against the same layers called one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import pyconv
from pyconv import nn
from pyconv.graph import GraphBuilder
from pyconv.nn import functional as F
from support import error_bound as bound

PASSES = [name for name, _, _ in pyconv.passes()]
EXACT_PASSES = [name for name, _, keeps_bits in pyconv.passes() if keeps_bits]


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


class Block(nn.Module):
    """One of everything that passes and planner treat on their own."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.conv3 = nn.Conv2d(16, 16, 1)
        self.left = nn.Conv2d(16, 8, 1)
        self.right = nn.Conv2d(16, 12, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 1, 1)
        self.gate = nn.Conv2d(16, 36, 1)
        self.fc = nn.Linear(36, 10)

    def forward(self, x):
        x = F.relu6(self.bn1(self.conv1(x)))
        x = F.relu(self.conv3(self.conv2(x).silu()) + x)
        gate = self.gate(x.mean((2, 3), keepdims=True)).sigmoid()
        x = F.cat([F.relu(self.left(x)), self.right(x), self.pool(x)], 1) * gate
        return self.fc(x.mean((2, 3))), x


def block():
    nn.manual_seed(3)
    net = Block()
    generator = np.random.default_rng(5)
    state = {
        k: generator.uniform(0.5, 1.5, v.shape).astype(np.float32) if "bn1" in k and v.ndim else v
        for k, v in net.state_dict().items()
    }
    net.load_state_dict(state)
    return net, state


def by_hand(s, x, **options):
    def conv(x, name, **k):
        return pyconv.conv2d(x, s[name + ".weight"], s.get(name + ".bias"), **k, **options)

    y = conv(x, "conv1", stride=2, padding=1)
    if "bn1.weight" in s:
        y = pyconv.batch_norm(y, s["bn1.running_mean"], s["bn1.running_var"], s["bn1.weight"], s["bn1.bias"])
    y = pyconv.relu6(y)
    z = pyconv.silu(conv(y, "conv2", padding=1, groups=16))
    y = pyconv.relu(pyconv.add(conv(z, "conv3"), y))
    gate = pyconv.sigmoid(conv(pyconv.global_avg_pool2d(y), "gate"))
    left = pyconv.relu(conv(y, "left"))
    right = conv(y, "right", padding=1)
    joined = pyconv.concat([left, right, pyconv.max_pool2d(y, 3, stride=1, padding=1)], axis=1)
    joined = pyconv.mul(joined, gate)
    pooled = pyconv.global_avg_pool2d(joined).reshape(x.shape[0], -1)
    return pyconv.linear(pooled, s["fc.weight"], s["fc.bias"], **options), joined


def folded(s):
    """The state with the batch norm in conv1, in double and rounded once."""
    scale = s["bn1.weight"] / np.sqrt(s["bn1.running_var"].astype(np.float64) + 1e-5)
    weight = s["conv1.weight"].astype(np.float64) * scale[:, None, None, None]
    bias = (0.0 - s["bn1.running_mean"].astype(np.float64)) * scale + s["bn1.bias"]
    rest = {k: v for k, v in s.items() if not k.startswith("bn1.")}
    return {**rest, "conv1.weight": weight.astype(np.float32), "conv1.bias": bias.astype(np.float32)}


def bounds(s, x):
    """How far each output of a block may be from the true one, by the slopes and roundings of its layers."""

    def conv(x, name, **k):
        return bound.conv(x, s[name + ".weight"], s.get(name + ".bias"), **k)

    def max3(array):
        return pyconv.max_pool2d(array.astype(np.float32), 3, stride=1, padding=1)

    scale = s["bn1.weight"] / np.sqrt(s["bn1.running_var"].astype(np.float64) + 1e-5)
    y = conv(bound.exact(x), "conv1", stride=2, padding=1)
    y = bound.affine(y, scale, s["bn1.bias"] - s["bn1.running_mean"] * scale)
    y = bound.function(y, np.clip(y.value, 0, 6).astype(np.float32), 1, 0)
    z = conv(y, "conv2", padding=1, groups=16)
    z = bound.function(z, pyconv.silu(z.value), 1.1, 8)
    y = bound.add(conv(z, "conv3"), y)
    y = bound.function(y, np.maximum(y.value, 0), 1, 0)
    pooled = bound.global_mean(y)
    gate = conv(bound.Bounded(pooled.value.astype(np.float32), pooled.error), "gate")
    gate = bound.function(gate, pyconv.sigmoid(gate.value), 0.25, 8)
    left, right = conv(y, "left"), conv(y, "right", padding=1)
    parts = [bound.function(left, np.maximum(left.value, 0), 1, 0), right]
    parts.append(bound.Bounded(max3(y.value), max3(y.error)))
    joined = bound.Bounded(*(np.concatenate(a, 1) for a in zip(*((p.value, p.error) for p in parts))))
    joined = bound.mul(joined, gate)
    flat = bound.global_mean(joined)
    flat = bound.Bounded(flat.value[:, :, 0, 0], flat.error[:, :, 0, 0])
    return bound.linear(flat, s["fc.weight"], s["fc.bias"]).error, joined.error


@pytest.mark.parametrize("shape", [(1, 3, 17, 23), (3, 3, 8, 8), (2, 3, 1, 1)])
@pytest.mark.parametrize("without", [(), PASSES, *((p,) for p in PASSES)], ids=str)
def test_a_network_is_its_layers(shape, without):
    net, state = block()
    x = noise(*shape)
    state = state if "fold_batch_norm" in without else folded(state)
    expected = by_hand(state, x, accuracy="exact")
    got = pyconv.compile(net, shape, accuracy="exact", without=without)(x)
    assert [y.shape for y in got] == [y.shape for y in expected]
    for y, want in zip(got, expected):
        np.testing.assert_array_equal(bits(y), bits(want))


@pytest.mark.parametrize("shape", [(1, 3, 17, 23), (3, 3, 8, 8), (2, 3, 1, 1)])
@pytest.mark.parametrize("without", [(), PASSES, *((p,) for p in PASSES)], ids=str)
def test_a_fast_network_is_its_layers_within_their_errors(shape, without):
    net, state = block()
    x = noise(*shape)
    expected, errors = by_hand(state, x, accuracy="exact"), bounds(state, x)
    got = pyconv.compile(net, shape, without=without)(x)
    for y, want, error in zip(got, expected, errors):
        assert (np.abs(y - want) <= 2 * error).all()  # both are within it of the true value
        # Worst cases do not add up: so that a slightly wrong layer shows, 20 times what is seen.
        assert np.abs(y - want).max() <= 2e-5 * max(1.0, np.abs(want).max())


def test_unfused_exact_network_has_the_bits_of_its_layers():
    net, state = block()
    x = noise(2, 3, 19, 15)
    expected = by_hand(state, x, accuracy="exact")
    got = pyconv.compile(net, x.shape, accuracy="exact", without=["fold_batch_norm"])(x)
    for y, want in zip(got, expected):
        np.testing.assert_array_equal(bits(y), bits(want))


def test_exact_bits_do_not_depend_on_threads_isa_batch_or_passes_that_keep_them():
    net, _ = block()
    x = noise(8, 3, 21, 18)
    expected = pyconv.compile(net, x.shape, accuracy="exact")(x)
    variants = [{"threads": 2}, {"threads": 4}, {"without": EXACT_PASSES}]
    variants += [{"max_isa": isa} for isa in ("scalar", "avx2", "avx512", "neon") if _isa(isa)]
    variants += [{"without": [p]} for p in EXACT_PASSES]
    for options in variants:
        got = pyconv.compile(net, x.shape, accuracy="exact", **options)(x)
        for y, want in zip(got, expected):
            np.testing.assert_array_equal(bits(y), bits(want), str(options))
    one = pyconv.compile(net, (1, *x.shape[1:]), accuracy="exact")
    for i in range(8):
        for y, want in zip(one(x[i : i + 1]), expected):
            np.testing.assert_array_equal(bits(y), bits(want[i : i + 1]))


def _isa(name):
    return any(kernel.isa == name for kernel in pyconv.kernels())


def test_one_model_serves_many_threads_at_once():
    net, _ = block()
    xs = [noise(1, 3, 24, 24, seed=i) for i in range(6)]
    model = pyconv.compile(net, (1, 3, 24, 24), threads=2)
    expected = [model(x) for x in xs]
    wrong = []

    def work(i):
        for _ in range(20):
            got = model(xs[i])
            if any((a != b).any() for a, b in zip(got, expected[i])):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_inputs_by_order_by_name_and_as_a_dict():
    class Sum(nn.Module):
        def forward(self, a, b):
            return a * 2.0 + b

    a, b = noise(2, 3), noise(2, 3, seed=1)
    model = pyconv.compile(Sum(), {"a": (2, 3), "b": (2, 3)})
    for got in (model(a, b), model(a, b=b), model({"b": b, "a": a}), model(a=a, b=b)):
        np.testing.assert_array_equal(got, a * 2 + b)
    assert Sum()(a, b).shape == (2, 3)
    with pytest.raises(ValueError, match=r"missing \['b'\]"):
        model(a)
    with pytest.raises(ValueError, match="unknown"):
        model(a=a, b=b, c=a)
    with pytest.raises(ValueError, match="a: given twice"):
        model(a, a=a, b=b)


def test_out_is_used_and_checked():
    net, _ = block()
    x = noise(1, 3, 16, 16)
    model = pyconv.compile(net, x.shape)
    expected = model(x)
    out = [np.full_like(y, np.nan) for y in expected]
    got = model.run(x, out=out)
    assert got[0] is out[0] and got[1] is out[1]
    for y, want in zip(out, expected):
        np.testing.assert_array_equal(y, want)
    with pytest.raises(ValueError, match="out: expected 2 arrays, got 1"):
        model.run(x, out=out[0])
    with pytest.raises(ValueError, match=r"out: expected shape \(1, 10\)"):
        model.run(x, out=[out[1], out[0]])
    with pytest.raises(TypeError, match="out: expected float32"):
        model.run(x, out=[out[0].astype(np.float64), out[1]])
    identity = pyconv.compile(nn.ReLU(), x.shape)
    with pytest.raises(ValueError, match="overlaps an input"):
        identity.run(x, out=x)


def test_wrong_inputs_are_named():
    model = pyconv.compile(nn.ReLU(), (1, 3, 4, 4))
    with pytest.raises(ValueError, match=r"input: expected shape \(1, 3, 4, 4\), got \(1, 3, 4, 5\)"):
        model(noise(1, 3, 4, 5))
    with pytest.raises(TypeError, match="input: expected float32, got float64"):
        model(np.zeros((1, 3, 4, 4)))
    with pytest.raises(TypeError, match="expected a numpy array, got list"):
        model([1.0])
    with pytest.raises(ValueError, match="unknown|expected"):
        pyconv.compile(nn.ReLU(), (1,), without=["no such pass"])
    with pytest.raises(ValueError, match="winograd_f4 refuses"):
        pyconv.compile(nn.Conv2d(3, 4, 1), (1, 3, 8, 8), algorithms={"conv_0": "winograd_f4"})


def test_non_contiguous_inputs_are_taken():
    model = pyconv.compile(nn.ReLU(), (1, 4, 4, 3))
    x = noise(1, 3, 4, 4).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(model(x), np.maximum(x, 0))


def test_outputs_that_are_inputs_constants_or_each_other():
    builder = GraphBuilder()
    x = builder.input("x", (2, 6))
    c = builder.constant(np.arange(3, dtype=np.float32))
    y = builder.node("relu", [x])
    builder.outputs([x, c, y, y, y.reshape(3, 4)], ["x", "c", "y", "again", "reshaped"])
    data = noise(2, 6)
    got = pyconv.compile(builder)(data)
    want = np.maximum(data, 0)
    for y, expected in zip(got, [data, np.arange(3), want, want, want.reshape(3, 4)]):
        np.testing.assert_array_equal(y, expected)


def test_concatenations_are_written_in_place_also_nested_and_of_inputs():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 5, 1), nn.Conv2d(9, 7, 3, padding=1)
            self.c = nn.Conv2d(16, 3, 1)

        def forward(self, x):
            one = F.cat([x, self.a(x)], 1)
            two = F.cat([one, self.b(one)], 1)
            return self.c(two), F.cat([two, x], 1)

    nn.manual_seed(0)
    net = Dense()
    s = net.state_dict()
    x = noise(2, 4, 6, 5)

    def conv(x, n, **k):
        return pyconv.conv2d(x, s[n + ".weight"], s[n + ".bias"], accuracy="exact", **k)

    one = np.concatenate([x, conv(x, "a")], 1)
    two = np.concatenate([one, conv(one, "b", padding=1)], 1)
    model = pyconv.compile(net, x.shape, accuracy="exact")
    got = model(x)
    np.testing.assert_array_equal(bits(got[0]), bits(conv(two, "c")))
    np.testing.assert_array_equal(bits(got[1]), bits(np.concatenate([two, x], 1)))
    steps = model.describe()["steps"]
    assert all(step["op"] != "concat" for step in steps)
    strides = {s["name"]: s["outputs"][0]["pixel_stride"] for s in steps if s["op"] == "conv"}
    assert strides["a"] == strides["b"] == 20


def test_pins_name_a_convolution_even_after_fusion():
    net, _ = block()
    model = pyconv.compile(net, (1, 3, 16, 16), algorithms={"right": "im2col", "conv1": "direct"})
    ran = {step["name"]: step["algorithm"] for step in model.describe()["steps"]}
    assert ran["right"] == "im2col" and ran["conv1"] == "direct"


def test_arena_is_stated_and_no_larger_than_all_activations():
    net, _ = block()
    model = pyconv.compile(net, (1, 3, 32, 32))
    description = model.describe()
    claims = []
    for index, step in enumerate(description["steps"]):
        for tensor in step["outputs"]:
            if tensor["space"] == "arena":
                assert tensor["offset"] + tensor["bytes"] <= model.arena_bytes or tensor["pixel_stride"]
                claims.append((tensor["buffer"], tensor["lifetime"], tensor))
        assert step["workspace_offset"] + step["workspace_bytes"] <= model.arena_bytes
        assert all(
            t is None or t["lifetime"][0] <= index <= t["lifetime"][1]
            for t in step["inputs"]
            if t is None or t["space"] == "arena"
        )
    assert (
        0
        < model.arena_bytes
        < sum(t["bytes"] for _, _, t in claims) + sum(s["workspace_bytes"] for s in description["steps"])
    )


def test_empty_batches_run():
    net, _ = block()
    got = pyconv.compile(net, (0, 3, 16, 16))(noise(0, 3, 16, 16))
    assert [y.shape for y in got] == [(0, 10), (0, 36, 8, 8)]


def test_dense_block_normalises_slices_of_a_concatenation():
    """DenseNet's: batch norm and ReLU read a prefix of the channels where they lie."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv0 = nn.Conv2d(3, 6, 1)
            self.norm1, self.conv1 = nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3, padding=1)
            self.norm2, self.conv2 = nn.BatchNorm2d(10), nn.Conv2d(10, 4, 3, padding=1)
            self.norm3 = nn.BatchNorm2d(14)

        def forward(self, x):
            x = self.conv0(x)
            x = F.cat([x, self.conv1(F.relu(self.norm1(x)))], 1)
            x = F.cat([x, self.conv2(F.silu(self.norm2(x)))], 1)
            return F.relu(self.norm3(x))

    nn.manual_seed(2)
    net = Block()
    x = noise(2, 3, 9, 7)
    plain = pyconv.compile(net, x.shape, accuracy="exact", without=PASSES)
    for threads in (1, 2):
        model = pyconv.compile(net, x.shape, accuracy="exact", threads=threads, without=["fold_batch_norm"])
        np.testing.assert_array_equal(bits(model(x)), bits(plain(x)))
    steps = model.describe()["steps"]
    assert [s["op"] for s in steps].count("reorder") == 1 and all(s["op"] != "concat" for s in steps)


def test_lrn_and_transposed_convolutions():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)
            self.lrn = nn.LocalResponseNorm(5, alpha=0.1, beta=0.75, k=2.0)
            self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, groups=2)

        def forward(self, x):
            return F.relu(self.up(self.lrn(self.conv(x))))

    nn.manual_seed(2)
    net = Net()
    s = net.state_dict()
    x = noise(2, 3, 9, 7)
    y = pyconv.lrn(pyconv.conv2d(x, s["conv.weight"], s["conv.bias"], accuracy="exact"), 5, alpha=0.1, k=2.0)
    y = pyconv.conv_transpose2d(
        y, s["up.weight"], s["up.bias"], stride=2, padding=1, output_padding=1, groups=2
    )
    got = pyconv.compile(net, x.shape, accuracy="exact")(x)
    np.testing.assert_array_equal(bits(got), bits(pyconv.relu(y)))


def test_memory_limit_is_kept_or_the_least_is_named():
    nn.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1))
    x = noise(1, 32, 28, 28)
    free = pyconv.compile(net, x.shape)
    assert {s["algorithm"] for s in free.describe()["steps"] if s["op"] == "conv"} == {"winograd_f4"}
    with pytest.raises(ValueError, match=r"memory_limit: expected \d+ bytes or more") as refused:
        pyconv.compile(net, x.shape, memory_limit=100)
    least = int(str(refused.value).split("expected ")[1].split()[0])
    assert least < free.arena_bytes
    for limit in (least, (least + free.arena_bytes) // 2, free.arena_bytes):
        model = pyconv.compile(net, x.shape, memory_limit=limit)
        assert model.arena_bytes <= limit
        chosen = {s["name"]: s["algorithm"] for s in model.describe()["steps"] if s["op"] == "conv"}
        np.testing.assert_array_equal(model(x), pyconv.compile(net, x.shape, algorithms=chosen)(x))
    with pytest.raises(ValueError, match="memory_limit: expected 0 or more, got -1"):
        pyconv.compile(net, x.shape, memory_limit=-1)


def test_tuning_changes_no_result_and_is_saved_with_the_cpu(tmp_path):
    from pyconv.model import cpu_id

    net, _ = block()
    x = noise(1, 3, 32, 32)
    model = pyconv.compile(net, x.shape, accuracy="exact", tune=True)
    for y, want in zip(model(x), pyconv.compile(net, x.shape, accuracy="exact")(x)):
        np.testing.assert_array_equal(bits(y), bits(want))
    assert model.options.tuned_on in ("", cpu_id())
    model.save(tmp_path / "tuned.pyconv")
    assert pyconv.load(tmp_path / "tuned.pyconv").options == model.options


def test_pictures_come_in_as_bytes():
    from pyconv import preprocess

    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU())
    pictures = np.random.default_rng(0).integers(0, 256, (2, 15, 17, 3)).astype(np.uint8)
    for recipe in (preprocess.recipe("imagenet"), preprocess.Recipe(channel_order="BGR", crop=None)):
        expected = pyconv.compile(net, (2, 3, 15, 17), accuracy="exact")(
            recipe.normalized(pictures[..., ::-1] if recipe.channel_order == "BGR" else pictures)
        )
        model = pyconv.compile(net, (2, 3, 15, 17), accuracy="exact", image_input=recipe)
        assert model.input_shapes == {"input": (2, 15, 17, 3)}
        np.testing.assert_array_equal(bits(model(pictures)), bits(expected))
    with pytest.raises(TypeError, match="input: expected uint8, got float32"):
        model(pictures.astype(np.float32))
    with pytest.raises(ValueError, match="image_input: expected a recipe of 3 channels"):
        pyconv.compile(net, (2, 3, 15, 17), image_input="mnist")


def test_released_weights_run_and_are_gone(tmp_path):
    net, _ = block()
    x = noise(1, 3, 32, 32)
    model = pyconv.compile(net, x.shape, release_weights=True)
    for y, want in zip(model(x), pyconv.compile(net, x.shape)(x)):
        np.testing.assert_array_equal(y, want)
    with pytest.raises(ValueError, match="release_weights=True"):
        model.save(tmp_path / "m")
    with pytest.raises(ValueError, match="release_weights=True"):
        pyconv.compile(model)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="reads /proc")
@pytest.mark.skipif(pyconv._core.__version__ == "sanitized", reason="a sanitizer's memory is no measure")
def test_a_model_file_is_not_held_in_memory_beside_its_packed_weights(tmp_path):
    net = nn.Sequential(*(nn.Linear(2048, 2048, bias=False) for _ in range(4)))
    path = tmp_path / "m.pyconv"
    pyconv.compile(net, (1, 2048)).save(path)
    program = (
        "import re, pyconv; held = lambda: int(re.search(r'RssFile:\\s+(\\d+)', "
        "open('/proc/self/status').read()).group(1)); import pyconv.model; before = held(); "
        f"model = pyconv.load({str(path)!r}); print(held() - before)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(pyconv.__file__).parents[1])}
    command = [sys.executable, "-c", program]  # from a folder without the source tree's package
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 16384  # KiB; the weights alone are 65536


def test_values_that_live_long_keep_their_place():
    """Two hundred values that are read again in the end, of three sizes, beside some that die at once."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 4, 6, 5), np.float32)
    builder = GraphBuilder()
    last = builder.input("x", x.shape)
    value, kept = x, []
    for step in range(200):
        addend = rng.standard_normal((1, 4, 1, 1)).astype(np.float32)
        last, value = builder.node("add", [last, builder.constant(addend)]), value + addend
        part = 1 + step % 3
        cut = builder.node("slice", [last], starts=[0], ends=[2 * part], axes=[2])
        kept.append((cut, value[:, :, : 2 * part]))
        last, value = builder.node("neg", [builder.node("relu", [last])]), -np.maximum(value, 0)
    outputs, wanted = [], []
    for part in range(3):
        total, want = kept[part]
        for cut, numbers in reversed(kept[part::3]):
            total, want = builder.node("sub", [total, cut]), want - numbers
        outputs.append(total)
        wanted.append(want)
    builder.outputs(outputs)
    model = pyconv.compile(builder, accuracy="exact")
    for y, want in zip(model(x), wanted):
        np.testing.assert_array_equal(y, want)
