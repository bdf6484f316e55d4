import pytest

from pyconv.formats import labels_beside, load_labels
from support.data import shared


def test_names(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("tench, Tinca tinca\r\n\ngoldfish\n\n\n", "utf-8")
    assert load_labels(path, 3) == ["tench, Tinca tinca", "", "goldfish"]
    assert load_labels(path, 4) == ["background", "tench, Tinca tinca", "", "goldfish"]
    with pytest.raises(ValueError, match="labels.txt: expected 5 names, one a line, got 3"):
        load_labels(path, 5)
    path.write_bytes(b"\xff\n")
    with pytest.raises(ValueError, match="labels.txt: 'utf-8' codec"):
        load_labels(path, 1)


def test_the_file_beside_a_model(tmp_path):
    model = tmp_path / "net.onnx"
    assert labels_beside(model) is None
    for name in ("labels.txt", "net.labels.txt", "net.onnx.labels.txt"):
        (tmp_path / name).write_text("a\n")
        assert labels_beside(model) == tmp_path / name


def test_imagenet_names():
    path = shared("imagenet_sample", "labels.txt")
    assert load_labels(path, 1000)[0] == load_labels(path, 1001)[1] == "tench, Tinca tinca"
