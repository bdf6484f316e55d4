"""Modules called on arrays: they compile once, and again when they are no longer what was compiled."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import pyconv
from pyconv import nn

THREADS = 16
X = np.random.default_rng(0).standard_normal((1, 4, 6, 6), np.float32)


def fresh(net):
    """Of what the module is now, whatever it was."""
    return pyconv.compile(net, X.shape)(X)


def pair():
    return nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())


def replace_a_changed_layer(net):
    net[0].weight = -net[0].weight
    net(X)
    net.add_module("0", nn.Conv2d(4, 4, 1))  # one change more than the layer had that it stands for


def remove_layers(net):
    net.add_module("0", nn.Sequential(nn.ReLU(), net[0]))
    net(X)
    delattr(net[0], "1")


def register_a_parameter(net):
    shape = net[0].weight.shape
    net[0].register_parameter("weight", nn.Parameter(shape, np.ones(shape, np.float32)))


def change_an_option(net):
    net[0].stride = 2


def load_a_state(net):
    net.load_state_dict({name: -array for name, array in net.state_dict().items()})


@pytest.mark.parametrize(
    "change",
    [replace_a_changed_layer, remove_layers, register_a_parameter, change_an_option, load_a_state],
)
def test_a_changed_module_is_compiled_anew(change):
    net = pair()
    before = net(X)
    change(net)
    after = fresh(net)
    assert before.shape != after.shape or (before != after).any()
    np.testing.assert_array_equal(net(X), after)


def test_copies_go_their_own_ways():
    net = pair()
    before = net(X)
    twins = copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    for twin in twins:
        np.testing.assert_array_equal(twin(X), before)
        assert not twin[0].weight.flags.writeable
        twin[0].weight = -twin[0].weight
        np.testing.assert_array_equal(twin(X), fresh(twin))
    np.testing.assert_array_equal(net(X), before)


class Counting(nn.Module):
    """Keeps what passes through it, as forward may."""

    def __init__(self):
        super().__init__()
        self.traced = 0

    def forward(self, x):
        self.traced += 1
        return x.relu()


def test_what_forward_keeps_does_not_count_as_a_change():
    net = Counting()
    for _ in range(3):
        net(X)
    assert net.traced == 1


def together(work):
    """Runs `work(i)` on many threads at once; what they returned."""
    gate, results = threading.Barrier(THREADS), [None] * THREADS

    def body(i):
        gate.wait(60)
        results[i] = work(i)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_first_call_may_come_from_many_threads():
    for _ in range(20):
        net = pair()
        results = together(lambda i, net=net: net(X[:, :, : 5 + i % 2]))
        for i in range(THREADS):
            np.testing.assert_array_equal(results[i], results[i % 2])


def test_calls_while_weights_change_are_of_one_state_or_another():
    net = pair()
    weights = [np.full((4, 4, 1, 1), k, np.float32) for k in (1, 2, 3)]
    bias = np.zeros(4, np.float32)
    expected = [np.maximum(pyconv.conv2d(X, w, bias), 0).tobytes() for w in weights]
    net[0].weight, net[0].bias = weights[0], bias

    def work(i):
        if i:
            return [net(X).tobytes() in expected for _ in range(10)]
        for k in range(10):
            net[0].weight = weights[k % 3]
        return [True]

    assert all(all(held) for held in together(work))
    np.testing.assert_array_equal(net(X), fresh(net))


def test_parameters_are_never_seen_writeable():
    for seed in range(20):
        made = nn.Parameter((8, 8), lambda generator: generator.standard_normal((8, 8), np.float32))
        found = together(lambda _, made=made: (made.value.flags.writeable, made.value.tobytes()))
        assert set(found) == {(False, made.value.tobytes())}, seed
