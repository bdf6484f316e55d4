"""The guide's examples run: ```python blocks as doctests, ```console blocks as commands of `pyconv`.

"..." stands for anything in what is expected. The blocks of a page run in order, in one folder and one
namespace. A block that names a file of the data folder is left out where that is missing.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
import shlex
import shutil
from importlib import resources
from pathlib import Path

import pytest

from support.data import shared

pytest.importorskip("rich", reason="the study extra is missing")

from click.testing import CliRunner  # noqa: E402

from pyconv.commands import add_to  # noqa: E402
from pyconv.study.commands import pyconv as group  # noqa: E402

add_to(group)

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide"
PAGES = sorted(GUIDE.glob("*.md"))
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
# What a page may name, by the word that betrays it: file in the data folder, and the module it needs.
FILES = {
    "mobilenet_v2": ("models/mobilenet_v2.onnx", "onnx"),
    "cifar10_test": ("cifar10/cifar10_test.npz", "numpy"),
    "resnet20-": ("models/resnet20-12fca82f.th", "numpy"),
    "photo.jpg": (None, "PIL"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def available(word, folder):
    """Whether the file that `word` stands for is there, brought there if need be."""
    file, module = FILES[word]
    if importlib.util.find_spec(module) is None:
        return False
    if file is None:
        with resources.as_file(resources.files("pyconv") / "data" / "astronaut.jpg") as photo:
            shutil.copy(photo, folder / word)
        return True
    try:
        found = shared(*file.split("/"))
    except pytest.skip.Exception:
        return False
    if not (folder / found.name).exists():
        (folder / found.name).symlink_to(found)
    return True


def commands(block):
    """(command, expected output), in order."""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        elif found:
            found[-1] = found[-1][0], found[-1][1] + line
    return found


def run_console(block):
    for command, expected in commands(block):
        program, *arguments = shlex.split(command)
        assert program == "pyconv", command
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == 0, result.output
        same = doctest.OutputChecker().check_output(expected, result.stdout, FLAGS)
        assert same, f"{command}\nexpected\n{expected}\ngot\n{result.stdout}"


def run_python(block, names, page):
    example = doctest.DocTestParser().get_doctest(block, names, page.name, str(page), 0)
    assert example.examples, "a python block without >>>"
    complaints = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(example, out=complaints.append, clear_globs=False)
    assert runner.failures == 0, "".join(complaints)
    names.update(example.globs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page, folder):
    blocks = BLOCK.findall(page.read_text("utf-8"))
    assert blocks
    names: dict[str, object] = {}
    for kind, block in blocks:
        if all(available(word, folder) for word in FILES if word in block):
            run_console(block) if kind == "console" else run_python(block, names, page)


def test_the_index_names_every_page():
    index = (GUIDE / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if page.name != "README.md" and f"({page.name})" not in index] == []


def test_links_lead_somewhere():
    offences = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]
    assert offences == []
