"""The table of errors of whole networks."""

from __future__ import annotations

import pytest

from pyconv.trust import network_errors


def test_a_row_of_the_table(tmp_path, capsys):
    file = tmp_path / "errors.txt"
    network_errors.main(["lenet5", "--output", str(file)])
    written = file.read_text("utf-8")
    assert written == capsys.readouterr().out
    name, shape, _, *figures = [cell.strip() for cell in written.splitlines()[-1].strip("|").split("|")]
    assert (name, shape) == ("lenet5", "1x1x28x28")
    # Fewer than 2^9 terms in every sum, five layers: a coarse ceiling, which a wrong result would pass.
    assert len(figures) == 4 and all(0 < float(figure) < 5 * 2**9 for figure in figures)


def test_an_unknown_network(capsys):
    with pytest.raises(SystemExit):
        network_errors.main(["lenet6"])
    assert "networks: expected names of the zoo, got lenet6" in capsys.readouterr().err
