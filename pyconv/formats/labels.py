"""Names of classes: a text file with one name a line, the line being the class."""

from __future__ import annotations

import os
from pathlib import Path

BACKGROUND = "background"


def labels_beside(model: str | os.PathLike[str]) -> Path | None:
    """The file of names that belongs to a model's file: ``<name>.labels.txt``, else ``labels.txt`` there.

    >>> from pyconv.formats import labels_beside
    >>> labels_beside("no/such/model.onnx") is None
    True
    """
    model = Path(model)
    for name in (f"{model.name}.labels.txt", f"{model.stem}.labels.txt", "labels.txt"):
        if (found := model.with_name(name)).is_file():
            return found
    return None


def load_labels(path: str | os.PathLike[str], classes: int) -> list[str]:
    """One name per class.

    Args:
        path: UTF-8 text, one name a line; blank lines at the end do not count.
        classes: how many the network has. With one more than the file has lines, class 0 is
            ``"background"``, as in the networks that TensorFlow trained on ImageNet.

    Raises:
        ValueError: another number of lines, or not UTF-8.
        OSError: the file cannot be read.

    >>> import os, tempfile
    >>> from pyconv.formats import load_labels
    >>> path = os.path.join(tempfile.mkdtemp(), "labels.txt")
    >>> with open(path, "w") as file: _ = file.write("cat\\ndog\\n")
    >>> load_labels(path, 3)
    ['background', 'cat', 'dog']
    """
    path = Path(path)
    try:
        names = path.read_text("utf-8").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    names = [name.strip() for name in names]
    if classes == len(names) + 1:
        names.insert(0, BACKGROUND)
    if len(names) != classes:
        raise ValueError(f"{path}: expected {classes} names, one a line, got {len(names)}")
    return names
