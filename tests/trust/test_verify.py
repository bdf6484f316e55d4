"""`pyconv verify`, and the hashes that come with the package."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

from pyconv.commands import verify as command  # noqa: E402
from pyconv.trust import golden  # noqa: E402


def invoke(*arguments, status=0):
    result = CliRunner().invoke(command.verify, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_this_machine_gives_the_stored_bits_on_every_instruction_set():
    document = json.loads(invoke("--json"))
    assert document["kept"] is True
    assert {row["isa"] for row in document["checks"]} == set(command.usable())
    stored = golden.stored()
    assert {(row["group"], row["name"]) for row in document["checks"]} == {
        (group, name) for group, names in stored.items() for name in names
    }


def test_the_table_counts_and_lists():
    output = invoke("--isa", "scalar", "--list")
    stored = golden.stored()
    assert f"{len(stored['networks'])} of {len(stored['networks'])}" in output
    assert "convolutions, ic1oc1_ih8kh3, scalar: right" in output
    assert "right" not in invoke("--isa", "scalar")


def test_a_difference_is_named(monkeypatch):
    stored = golden.stored()
    stored["elementwise"]["exp"] = "0" * 16
    del stored["networks"]["3"]
    monkeypatch.setattr(golden, "stored", lambda: stored)
    output = invoke("--isa", "scalar", status=1)
    assert "elementwise, exp, scalar: expected 0000000000000000, got " in output
    assert "networks, 3, scalar: expected nothing stored, got " in output


def test_an_instruction_set_that_is_not_here():
    assert "--isa: expected one of scalar" in invoke("--isa", "mmx", status=1)


def test_the_generator_is_that_of_the_tools():
    values = golden.Values()
    assert [values.word() for _ in range(2)] == [753593889, 2860545357]
    assert golden.fnv1a(np.frombuffer(b"a", np.uint8)) == "af63dc4c8601ec8c"  # FNV-1a of "a", as published
