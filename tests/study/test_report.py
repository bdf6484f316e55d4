"""The sentence, tables, JSON and picture say what the figures say."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from pyconv.study import plot, report
from pyconv.study.timing import Timing


@pytest.mark.parametrize(
    "times, sentence",
    [
        (
            {"normal": 4.0, "separable": 0.5},
            "8.4x fewer MACs, 8.0x faster: depthwise-separable turns nearly all",
        ),
        (
            {"normal": 4.0, "separable": 0.4},
            "8.4x fewer MACs, 10.0x faster: depthwise-separable saves more time",
        ),
        (
            {"normal": 4.0, "separable": 1.0},
            "8.4x fewer MACs, 4.0x faster: depthwise-separable turns 48 % of its",
        ),
        (
            {"normal": 1.0, "separable": 1.0},
            "8.4x fewer MACs, and no faster: depthwise-separable turns none of",
        ),
        (
            {"normal": 1.0, "separable": 2.0},
            "8.4x fewer MACs, yet 2.0x slower: depthwise-separable loses all",
        ),
    ],
)
def test_headline(make_study, times, sentence):
    assert report.finding(make_study(**times)).startswith(sentence)


def test_nothing_is_explained_where_little_is_lost(make_study):
    study = make_study(normal=4.0, plain=8.0, depthwise=0.3, separable=0.5)
    assert report.explanation(study) == ""
    assert report.finding(study).endswith("nearly all of its saving into time.")


def test_a_slow_depthwise_half_is_named(make_study):
    text = report.explanation(make_study(normal=4.0, depthwise=0.5, separable=1.0))
    assert text == (
        "because its depthwise half, 7 % of the MACs, takes 50 % of the time: it reaches 7 % of the FMA peak, "
        "moving 0.4 bytes per FLOP"
    )


def test_the_rivals_transform_is_named(make_study):
    text = report.explanation(make_study(normal=1.0, plain=4.0, depthwise=0.04, separable=0.5))
    assert text == "because the normal convolution saves too (winograd_f4, 4.0x as fast as its plain sum)"


def test_both_reasons_make_one_sentence(make_study):
    text = report.finding(make_study(normal=1.0, plain=4.0, depthwise=0.2, separable=0.5))
    assert text.count(".") - text.count("0.") >= 1 and text.endswith(".")
    assert ", because the normal convolution" in text and " and its depthwise half" in text


def test_rows_derive_from_counts_and_times(make_study):
    study = make_study(normal=4.0)
    saving = study.saving(study[report.POINTWISE])
    assert saving.macs == 9.0
    assert saving.time == pytest.approx(10.0)
    assert saving.kept == pytest.approx(10 / 9)
    assert study.normal.gflops == pytest.approx(2 * 462.422016 / 4, rel=1e-6)
    assert study.normal.roofline_share(study.roofline) == pytest.approx(924.844032 / 200 / 4, rel=1e-6)
    assert study.normal.limits(study.roofline) == "compute"
    assert study[report.SPATIAL].limits(study.roofline) == "L3"


def test_tables_hold_every_row_and_fit_a_terminal(make_study):
    console = Console(width=124, record=True, file=io.StringIO())
    study = make_study(normal=1.0, plain=4.0)
    console.print(report.render(study))
    console.print(report.roofline_table(study.roofline))
    lines = console.export_text().splitlines()
    for row in study.rows:
        assert len([line for line in lines if line.strip().startswith(f"{row.name}  ")]) == 2
    assert max(map(len, lines)) <= 124
    assert any("winograd_f4" in line and "1.00 ms" in line for line in lines)


def test_json_holds_sentence_and_figures(make_study, tmp_path):
    study = make_study(normal=1.0, plain=4.0)
    report.write_json(study, tmp_path / "s.json")
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["finding"] == report.finding(study)
    assert [row["name"] for row in document["rows"]] == [row.name for row in study.rows]
    normal = document["rows"][0]
    assert (normal["macs"], normal["flops"]) == (462_422_016, 924_844_032)
    assert normal["steps"][0]["algorithm"] == "winograd_f4"
    assert document["roofline"]["peak_gflops"] == 200.0


@pytest.mark.parametrize("plain", [None, 4.0])
def test_picture_is_drawn(make_study, tmp_path, plain):
    plot.draw(make_study(normal=1.0, plain=plain), tmp_path / "s.png")
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def disturbed(study, name):
    """The same best round of `name`, with other rounds far from it."""
    rows = [
        replace(row, timing=Timing(name, (row.seconds, 2 * row.seconds, 3 * row.seconds)))
        if row.name == name
        else row
        for row in study.rows
    ]
    return replace(study, rows=rows)


def test_noise_stands_in_the_sentence(make_study):
    quiet = make_study(normal=4.0, separable=1.0)
    assert "disturbed" not in report.finding(quiet)
    text = report.finding(disturbed(quiet, "normal"))
    assert text.endswith(
        "; but other work disturbed the timing (rounds differ by 50 %): repeat it when idle."
    )


def test_noise_is_not_taken_for_a_gain(make_study):
    study = make_study(normal=4.0, separable=0.2)
    assert "saves more time than MACs" in report.headline(study)
    text = report.headline(disturbed(study, "normal"))
    assert (
        text
        == "8.4x fewer MACs, 20.0x faster as measured: too disturbed to say what depthwise-separable saves"
    )


def test_where_there_is_nothing_to_save(make_study):
    study = make_study(normal=1.0, separable=2.0)
    widened = [
        replace(row, steps=study.normal.steps) if row.name == report.SEPARABLE else row for row in study.rows
    ]
    text = report.finding(replace(study, rows=widened))
    assert text == "No fewer MACs, 2.0x slower: depthwise-separable has nothing to save at this size."
