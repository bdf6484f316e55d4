"""The page: what it is made of, and what a browser makes of it."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from xml.etree import ElementTree

import pytest

import pyconv
from pyconv import nn
from pyconv.nn import functional as F
from pyconv.study import network, network_pair, page, page_charts, page_svg, page_tables
from pyconv.study.timing import Timing

HOSTILE = '<script>alert("&1")</script>'


class Net(nn.Module):
    """Two blocks: 3x3, or depthwise and 1x1 where `factorised`."""

    def __init__(self, factorised):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        pair = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 32, 1))
        self.block = pair if factorised else nn.Sequential(nn.Conv2d(16, 32, 3, padding=1))
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.block(self.stem(x)).mean((2, 3)))


def document(roofline, factorised=True, name="net", seconds=None):
    """With `seconds`, as if each of its layers had taken that long."""
    nn.manual_seed(0)
    found = network.study(pyconv.compile(Net(factorised), (1, 3, 20, 20)), name=name, roofline=roofline)
    if seconds is not None:
        timing = Timing("t", (seconds, 1.1 * seconds, 1.2 * seconds))
        layers = [dataclasses.replace(layer, timing=timing) for layer in found.layers]
        found = dataclasses.replace(found, layers=layers, whole=timing)
    return json.loads(json.dumps(found.as_dict()))


@pytest.fixture
def made(roofline):
    return page.render(document(roofline, seconds=2e-5), document(roofline, False, "full", 3e-5)).html


class Reader(html.parser.HTMLParser):
    """Tags that stay open, attributes, and the cells of tables by their class."""

    VOID = ("meta", "br", "hr", "img", "input", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.problems = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)


def test_well_formed(made):
    found = Reader(made)
    assert found.problems == [] and found.open == []
    for drawing in re.findall(r"<svg.*?</svg>", made, re.S):
        ElementTree.fromstring(drawing)
    body = made[made.index("<body>") : made.index('<script type="application/json"')] + "</body>"
    ElementTree.fromstring(body)


def test_nothing_comes_from_elsewhere(made):
    for tag, attributes in Reader(made).tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "a"), tag
        assert not {"src", "href", "xlink:href", "srcset", "action", "data"} & set(attributes), attributes
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|import\(", made)
    assert "default-src 'none'" in made


@pytest.mark.parametrize("seconds", [None, 2e-5])
def test_numbers_equal_the_document(roofline, seconds):
    found = document(roofline, seconds=seconds)
    made = page.render(found).html
    stored = re.search(r'<script type="application/json" id="document">(.*?)</script>', made, re.S)
    assert json.loads(stored[1]) == found
    table = re.search(r'<table class="sortable layers">.*?</table>', made, re.S)[0]
    table = ElementTree.fromstring(table)
    heads = ["".join(th.itertext()) for th in table.iter("th")]
    keys = {"MACs": "macs", "executed": "executed_macs", "on padding": "padding_macs", "bytes": "bytes",
            "FLOP/byte": "intensity", "scratch": "workspace_bytes", "bound": "bound_s", "predicted": "predicted_s",
            "parameters": "parameters", "of roofline": "share", "GFLOP/s": "executed_gflops"}  # fmt: skip
    bodies = table.findall("tbody")
    assert len(bodies) == len(found["layers"]) and set(keys) - set(heads) <= {"of roofline", "GFLOP/s"}
    assert ("best" in heads) == (seconds is not None)
    for body, layer in zip(bodies, found["layers"]):
        cells, words = body.findall("tr")
        row = dict(zip(heads, (cell.get("data-v") for cell in cells)))
        for head, key in keys.items():
            if head in heads:
                assert row[head] == ("" if layer[key] is None else json.dumps(layer[key])), head
        if seconds is not None:
            assert float(row["best"]) == layer["timing"]["min_s"]
        assert "".join(words.itertext()) == layer["sentence"]


def test_names_are_escaped(roofline):
    found = document(roofline, name=HOSTILE)
    found["layers"][0]["name"] = HOSTILE
    found["layers"][0]["candidates"][0]["reason"] = HOSTILE
    found["layers"][0]["candidates"][0]["accepted"] = False
    made = page.render(found).html
    assert HOSTILE not in made and made.count("<script") == 2
    assert Reader(made).problems == []


def test_each_section_is_there(made):
    heads = re.findall(r"<h2>(.*?)</h2>", made)
    assert heads == ["Roofline", "Predicted against measured", "Against full", "What costs time in this network",
                     "Layers", "Memory", "Algorithms", "Refused"]  # fmt: skip
    assert "prefers-color-scheme: dark" in made and "@media print" in made


def test_every_layer_that_multiplies_is_on_the_roofline(roofline):
    found = document(roofline, seconds=2e-5)
    drawing = ElementTree.fromstring(page_charts.roofline(found))
    said = [title.text for title in drawing.iter("title")]
    for layer in found["layers"]:
        assert any(words.startswith(f"{layer['name']}: ") for words in said) == bool(layer["macs"])


def test_marks_stay_within_the_drawing(roofline):
    found = document(roofline, seconds=2e-5)
    for drawing in (page_charts.roofline(found), page_charts.bars(found), page_charts.arena(found)):
        top = ElementTree.fromstring(drawing)
        _, _, width, height = map(float, top.get("viewBox").split())
        for mark in top.iter("circle"):
            assert 0 <= float(mark.get("cx")) <= width and 0 <= float(mark.get("cy")) <= height
        for mark in top.iter("rect"):
            assert float(mark.get("width")) >= 0 and float(mark.get("height")) >= 0
            assert float(mark.get("x")) + float(mark.get("width")) <= width


def test_the_arena_holds_what_lives_at_once(roofline):
    found = document(roofline)
    size = found["totals"]["arena_bytes"]
    assert 0 < page_charts.most_alive(found)[0] <= size
    for buffer in page_charts.buffers(found):
        assert 0 <= buffer["offset"] and buffer["offset"] + buffer["bytes"] <= size


def test_joined_tensors_are_one_buffer():
    def place(name, offset, size, buffer=7, span=None):
        return {"name": name, "space": "arena", "buffer": buffer, "offset": offset, "bytes": size,
                "span": span or size, "first": 0, "last": 3}  # fmt: skip

    planes = [place("a", 64, 100), place("b", 164, 50), place("b in place", 164, 50), place("else", 0, 8, 1)]
    channels = [place("c", 256, 40, 2, 120), place("d", 260, 80, 2, 120), place("both in place", 256, 120, 2)]
    found = page_charts.buffers({"layers": [{"places": [p]} for p in (*planes, *channels)]})
    sizes = [(b["offset"], b["bytes"], len(b["names"])) for b in found]
    assert sizes == [(64, 150, 3), (0, 8, 1), (256, 120, 3)]


class Joined(nn.Module):
    """Channels of two convolutions side by side, then more of them."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 24, 1), nn.Conv2d(32, 16, 1)
        self.norm = nn.BatchNorm2d(48)

    def forward(self, x):
        wide = F.cat([self.a(x), self.b(x)], 1)
        return F.relu(self.norm(F.cat([wide, self.c(wide)], 1))).mean((2, 3))


def test_joined_channels_fit_the_arena(roofline):
    found = network.study(pyconv.compile(Joined(), (1, 3, 12, 12)), roofline=roofline).as_dict()
    size = found["totals"]["arena_bytes"]
    assert any(len(b["names"]) > 1 for b in page_charts.buffers(found))
    for buffer in page_charts.buffers(found):
        assert buffer["offset"] + buffer["bytes"] <= size
    assert page_charts.most_alive(found)[0] <= size


def test_parts_of_a_pair(roofline):
    small, full = document(roofline, True, "small", 1e-5), document(roofline, False, "full", 3e-5)
    parts = network_pair.parts(small, full)
    assert {part.name for part in parts if all(part.macs)} == {"stem", "block", "head"}
    total = network_pair.whole(parts)
    assert total.macs == (small["totals"]["macs"], full["totals"]["macs"])
    for side, found in enumerate((small, full)):
        assert total.seconds[side] == pytest.approx(sum(map(network_pair.seconds, found["layers"])))
    with pytest.raises(ValueError, match="both measured or neither"):
        network_pair.parts(small, document(roofline))


def layer(name, *absorbed, macs=100, executed=None, seconds=1.0, algorithm="direct", limit="compute"):
    return {"name": name, "absorbed": list(absorbed), "macs": macs, "executed_macs": executed or macs,
            "timing": {"min_s": seconds}, "algorithm": algorithm, "limit": limit,
            "traffic": [{"level": "L2", "bytes": 12}, {"level": "L3", "bytes": 6}]}  # fmt: skip


def test_fused_layers_are_taken_together():
    first = {
        "name": "a",
        "layers": [layer("f.1.0"), layer("f.3.1", "f.2.0"), layer("pool_12", macs=0), layer("f.10.0")],
    }
    second = {"name": "b", "layers": [layer("f.1"), layer("f.2", seconds=4.0), layer("f.3"), layer("pool_9", macs=0),
                                      layer("f.10")]}  # fmt: skip
    found = {part.name: part for part in network_pair.parts(first, second)}
    assert list(found) == ["f.1", "f.2 to 3", "the rest", "f.10"]
    assert found["f.2 to 3"].mac_ratio == 2 and found["f.2 to 3"].time_ratio == 5


@pytest.mark.parametrize(
    "first, second, said",
    [
        ([layer("f.1", macs=100)], [layer("f.1", macs=100)], "there is nothing to save."),
        ([layer("f.1", macs=100)], [layer("f.1", macs=800, seconds=8.0)],
         "a has 8.0x fewer MACs than b and is 8.0x as fast: nearly all of the saving is a saving of time."),
        ([layer("f.1", macs=100)], [layer("f.1", macs=800, executed=400, seconds=4.0)],
         "is 4.0x as fast, 50 % of the saving, because b saves too (Winograd executes 400 of its 800 MACs, "
         "which leaves 4.0x)."),
        ([layer("f.1", macs=10, seconds=1.0, algorithm="depthwise"), layer("f.2", macs=90)],
         [layer("f.1", macs=400, seconds=2.0), layer("f.2", macs=400, seconds=2.0)],
         "because its depthwise layers, 10.0 % of the MACs, take 50 % of the time where they run by themselves: they "
         "reach 20 % of the FMA peak moving 0.9 bytes per FLOP, most of them from L2."),
        ([layer("f.1", macs=10, seconds=1.0, algorithm="depthwise", limit="L2"), layer("f.2", macs=90)],
         [layer("f.1", macs=400, seconds=2.0), layer("f.2", macs=400, seconds=2.0)],
         "reach 20 % of the FMA peak because they move 0.9 bytes per FLOP, most of them from L2."),
    ],
)  # fmt: skip
def test_sentences_of_a_pair(first, second, said):
    peak = {"peak_gflops": 100e-9}
    first, second = ({"name": name, "layers": found, "roofline": peak} for name, found in (("a", first), ("b", second)))
    assert network_pair.sentence(first, second, network_pair.parts(first, second)).endswith(said)


def engine(name, median, **more):
    return {"name": name, "version": "1", "how": "NCHW", "median_s": median, "min_s": 0.9 * median,
            "iqr_s": 0.1 * median, **more}  # fmt: skip


def test_other_engines_on_the_page(roofline):
    found = document(roofline, seconds=2e-5)
    assert "Other engines" not in page.render(found).html
    left = {"name": "ncnn", "reason": HOSTILE}
    found["peers"] = [engine("pyconv", 2e-3), engine("torch", 5e-3), engine("mnn", 3e-3), left]
    made = page.render(found).html
    assert "pyconv takes 2.00 ms, 1.5x as fast as the best of 2 other engines, mnn with 3.00 ms." in made
    assert "ncnn was left out" in made and HOSTILE not in made
    found["peers"] = [engine("pyconv", 6e-3), engine("mnn", 3e-3)]
    assert "2.0x as slow as the best of 1 other engine, mnn" in page.render(found).html


def test_bytes_by_level(roofline):
    for entry in document(roofline)["layers"]:
        by_level = page_tables.by_level(entry)
        assert sum(by_level.values()) == entry["bytes"]
        assert list(by_level) == [level for level in ("L1", "L2", "L3", "DRAM") if level in by_level]


def test_fused_steps_have_no_row_of_choices(roofline):
    model = pyconv.compile(pyconv.zoo.mobilenet_v2(width=0.5), (1, 3, 224, 224))
    found = network.study(model, roofline=roofline).as_dict()
    fused = [entry for entry in found["layers"] if entry["op"] == "inverted_residual"]
    assert fused and all(entry["estimate_s"] and entry["predicted_s"] >= entry["bound_s"] for entry in fused)
    assert "row_ring" not in page_tables.algorithms(found)


@pytest.mark.parametrize(
    "low, high, log", [(0, 1e-3, False), (0, 17, False), (0.3, 90, True), (1e-3, 1e3, True)]
)
def test_ticks_are_few_and_inside(low, high, log):
    ticks = page_svg.Scale(low, high, 0, 100, log).ticks()
    assert 2 <= len(ticks) <= 12 and ticks == sorted(ticks)
    assert low <= ticks[0] and ticks[-1] <= high


def test_a_batch_that_runs_image_by_image_is_told(roofline):
    model = pyconv.compile(pyconv.zoo.mobilenet_v1(width=0.25), (3, 3, 96, 96))
    found = network.study(model, roofline=roofline)
    made = page.render(found.as_dict()).html
    assert found.images == max(1, model.describe()["images"])
    assert (f"the {found.images} images of a batch run one by one" in made) == (found.images > 1)
    alone = network.study(
        pyconv.compile(pyconv.zoo.mobilenet_v1(width=0.25), (1, 3, 96, 96)), roofline=roofline
    )
    assert found.images * found.macs == 3 * alone.macs


def test_a_page_needs_numpy_alone(tmp_path):
    code = "import sys; sys.modules.update(dict.fromkeys(('rich', 'click', 'matplotlib', 'PIL')));"
    code += "from pyconv.study import network, page"
    # From a folder without the source tree's package, which lacks the core after a plain install.
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def climbed(*rungs):
    return {"layer": HOSTILE, "problem": "ic16oc16_ih8kh3ph1", "macs": 10**6,
            "rungs": [{"name": n, "why": w, "seconds": s, "share": 1.0} for n, w, s in rungs]}  # fmt: skip


def test_ladder_on_the_page(roofline):
    found = document(roofline)
    assert "The ladder" not in page.render(found).html
    long = "Tiles of sums, but for CPUs of any age and then some more: emulated"
    found["ladder"] = climbed(("python loops", long, 1.0), ("pyconv direct", "Fast.", 1e-4))
    made = page.render(found).html
    assert "The ladder" in made and HOSTILE not in made
    assert "takes 1 s by python loops and 100 µs by pyconv direct, 10000x as fast." in made
    drawing = ElementTree.fromstring(page_charts.ladder(found))
    said = [text.text for text in drawing.iter("text")]
    assert "20.0 · 10000x" in said and "Tiles of sums, but for CPUs of any age and then some more" in said
    widths = [float(bar.get("width")) for bar in drawing.iter("rect")]
    assert 0 < widths[0] < widths[1]


def test_model_report(tmp_path, monkeypatch, roofline):
    monkeypatch.setattr(network.machine, "roofline", lambda *_, **__: roofline)
    model = pyconv.compile(Net(True), (1, 3, 20, 20))
    made = model.report(
        tmp_path / "out.html", name="mine", measure=True, seconds=0.2, against=model, ladder=True
    )
    assert (tmp_path / "out.html").read_text("utf-8") == made.html
    assert "<title>mine on " in made.html and "Against the other" in made.html and "The ladder" in made.html
    framed = made._repr_html_()
    assert (
        framed.startswith("<iframe srcdoc=")
        and "<body>" not in framed
        and 'sandbox="allow-scripts"' in framed
    )


def test_command(tmp_path, monkeypatch, roofline):
    from click.testing import CliRunner

    from pyconv.commands.report import report

    monkeypatch.setattr(network.machine, "roofline", lambda *_, **__: roofline)
    monkeypatch.chdir(tmp_path)
    small = ("--width", "0.25", "--input-shape", "1x3x64x64")
    done = CliRunner().invoke(
        report, ["mobilenet_v1", *small, "--json", "out.json", "--against", "mobilenet_v1_full"]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("Written: mobilenet_v1.html, out.json\n")
    stored = json.loads((tmp_path / "out.json").read_text())
    assert stored["inputs"] == {"input": [1, 3, 64, 64]}
    written = (tmp_path / "mobilenet_v1.html").read_text("utf-8")
    assert re.search(r"mobilenet_v1 has [5-8]\.\dx fewer MACs than mobilenet_v1_full", written)
    refused = CliRunner().invoke(report, ["mobilenet_v1", "--against", "nonsense"])
    assert refused.exit_code == 1 and "no such file" in refused.output
    refused = CliRunner().invoke(report, ["mobilenet_v1", "--peers", "torch"])
    assert refused.exit_code == 1 and "--peers: expected --measure too" in refused.output


class Browser:
    """A headless Chromium, by the WebDriver protocol."""

    def __init__(self, port, binary):
        self.root = f"http://127.0.0.1:{port}"
        options = {"binary": binary, "args": ["--headless=new", "--no-sandbox", "--disable-gpu"]}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self.post("session", capabilities={"alwaysMatch": capabilities})["sessionId"]

    def post(self, path, **body):
        request = urllib.request.Request(
            f"{self.root}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def go(self, url):
        self.post(f"session/{self.session}/url", url=url)

    def run(self, script):
        return self.post(f"session/{self.session}/execute/sync", script=script, args=[])

    def log(self):
        return self.post(f"session/{self.session}/se/log", type="browser")

    def close(self):
        request = urllib.request.Request(f"{self.root}/session/{self.session}", method="DELETE")
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def browser():
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or binary is None:
        pytest.skip("chromium and chromedriver are not here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        opened = Browser(port, binary)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        process.terminate()
        process.wait()


COLUMN = """
const heads = [...document.querySelectorAll("table.layers th")];
const column = heads.findIndex(head => head.textContent === "MACs");
CLICK
return [...document.querySelectorAll("table.layers tbody")].map(body => Number(body.rows[0].cells[column].dataset.v));
"""
CLICK = 'heads[column].querySelector("button").click();'


def test_in_a_browser(made, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(made, encoding="utf-8")
    with browser() as opened:
        opened.go(path.as_uri())
        assert opened.log() == []
        before = opened.run(COLUMN.replace("CLICK", ""))
        assert opened.run(COLUMN.replace("CLICK", CLICK)) == sorted(before, reverse=True)
        assert opened.run(COLUMN.replace("CLICK", CLICK)) == sorted(before)
        assert opened.run("return [...document.querySelectorAll('tr.words')].length") == len(before)
        assert opened.run("return document.documentElement.scrollWidth <= window.innerWidth")
        assert opened.run("return performance.getEntriesByType('resource').length") == 0
        assert opened.log() == []
