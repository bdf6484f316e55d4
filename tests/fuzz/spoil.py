"""Spoils files: bytes of any kind, JSON within them, protobuf messages. What comes out follows from the seed."""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile

EXTREMES = (
    0, -1, 1, 2, 3, 7, 8, 9, 16, 64, 127, 128, 255, 256, 4095, 65536, 2**20, 2**28, 2**31 - 1, 2**31, -(2**31),
    2**32, 2**40, 2**40 + 1, 2**58, 2**62, 2**63 - 1, -(2**63),
)  # fmt: skip
BEYOND = (2**63, -(2**63) - 1, 2**64, 10**30)
REALS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, float("nan"), float("inf"), float("-inf"))
JSON_VALUE = re.compile(r'\\?"(?:[^"\\]|\\[^"])*\\?"|-?\d[\d.eE+-]*|true|false|null|\[\]|\{\}')


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    """Up to four changes of bits, bytes, numbers and pieces."""
    spoiled = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(spoiled) + 1)
        length = rng.choice((1, 2, 4, 8, 16, 64))
        kind = rng.randrange(9)
        if kind == 0 and at < len(spoiled):
            spoiled[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(spoiled):
            spoiled[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del spoiled[at : at + length]
        elif kind == 3:
            spoiled[at:at] = spoiled[at : at + length]
        elif kind == 4:
            spoiled[at:at] = rng.randbytes(length)
        elif kind == 5:
            other = rng.randrange(len(spoiled) + 1)
            spoiled[at : at + length] = spoiled[other : other + length]
        elif kind == 6:
            del spoiled[at:]
        elif kind == 7:
            layout = rng.choice(("<I", ">I", "<Q", "<H"))
            limit = 1 << 8 * struct.calcsize(layout)
            spoiled[at : at + struct.calcsize(layout)] = struct.pack(layout, rng.choice(EXTREMES) % limit)
        elif kind == 8 and spoiled:
            spoiled += rng.randbytes(length)
    return bytes(spoiled)


def spoil_json(text: str, rng: random.Random) -> str:
    """Exchanges, removes, repeats and nests values; quotes may be escaped, as in JSON within JSON."""
    found = [m.span() for m in JSON_VALUE.finditer(text)]
    if not found:
        return text
    (begin, end), (other_begin, other_end) = rng.choice(found), rng.choice(found)
    value, other = text[begin:end], text[other_begin:other_end]
    kind = rng.randrange(6)
    if kind == 0:
        value = str(rng.choice(EXTREMES + BEYOND + (0.5, 1e309, -0.0, "null", "[]", "{}", "true")))
    elif kind == 1:
        value = other
    elif kind == 2:
        value = f"{value},{value}"
    elif kind == 3:
        value = f"{value},{other}"
    elif kind == 4:
        depth = rng.choice((1, 2, 31, 40))
        value = "[" * depth + value + "]" * depth
    else:
        end += text[end : end + 1] == ","
        value = ""
    return text[:begin] + value + text[end:]


def spoil_header(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file, or a model file, with another header behind the right length."""
    length = int.from_bytes(data[:8], "little")
    text = data[8 : 8 + length].decode("utf-8", "surrogateescape")
    for _ in range(rng.randint(1, 3)):
        text = spoil_json(text, rng)
    header = text.encode("utf-8", "surrogateescape")
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def spoil_zip(data: bytes, rng: random.Random) -> bytes:
    """A zip archive with another member behind the right checksum; other files as `spoil_bytes` does."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ValueError, NotImplementedError, EOFError, OSError):
        members = []
    if not members:
        return spoil_bytes(data, rng)
    spoiled = rng.randrange(len(members))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, (info, content) in enumerate(members):
            changed = spoil_bytes(content, rng) if i == spoiled else content
            archive.writestr(info.filename, changed, compress_type=info.compress_type)
    return file.getvalue()


class MessageSpoiler:
    """Changes fields of a protobuf message and of those within it."""

    def __init__(self, words):
        self.words = words
        """Texts that stand for something: names of operators."""

    def __call__(self, message, rng):
        for _ in range(rng.randint(1, 3)):
            places = list(self.places(message))
            if not places:
                return
            owner, field = rng.choice(places)
            try:
                self.change(owner, field, rng, places)
            except (ValueError, TypeError):  # a number or a text that protobuf itself refuses
                continue

    def places(self, message):
        """(message, field) of everything that is set, depth first."""
        for field, value in message.ListFields():
            yield message, field
            if field.type == field.TYPE_MESSAGE:
                for inner in value if self.repeated(field) else [value]:
                    yield from self.places(inner)

    @staticmethod
    def repeated(field):
        return hasattr(field, "is_repeated") and field.is_repeated or getattr(field, "label", 0) == 3

    def change(self, owner, field, rng, places):
        name = field.name
        if rng.randrange(12) == 0:
            owner.ClearField(name)
        elif rng.randrange(12) == 0:
            self.set_unset(owner, rng)
        elif not self.repeated(field):
            if field.type == field.TYPE_MESSAGE:
                self.replace(getattr(owner, name), rng, places)
            else:
                setattr(owner, name, self.drawn(field, getattr(owner, name), rng, places))
        else:
            self.change_items(getattr(owner, name), field, rng, places)

    def change_items(self, items, field, rng, places):
        at = rng.randrange(len(items))
        kind = rng.randrange(4)
        if kind == 0:
            del items[at]
        elif kind == 1 and field.type == field.TYPE_MESSAGE:
            items.add().CopyFrom(items[at])
        elif kind == 1:
            items.append(items[at])
        elif kind == 2 and len(items) > 1:
            other = rng.randrange(len(items))
            if field.type == field.TYPE_MESSAGE:
                kept = type(items[at])()
                kept.CopyFrom(items[at])
                items[at].CopyFrom(items[other])
                items[other].CopyFrom(kept)
            else:
                items[at], items[other] = items[other], items[at]
        elif field.type == field.TYPE_MESSAGE:
            self.replace(items[at], rng, places)
        else:
            items[at] = self.drawn(field, items[at], rng, places)

    def replace(self, message, rng, places):
        """By another of its kind."""
        others = [o for o, _ in places if o.DESCRIPTOR is message.DESCRIPTOR]
        if others:
            copy = type(message)()
            copy.CopyFrom(rng.choice(others))
            message.CopyFrom(copy)

    def set_unset(self, owner, rng):
        field = rng.choice(owner.DESCRIPTOR.fields)
        if field.type == field.TYPE_MESSAGE:
            made = getattr(owner, field.name)
            made.add() if self.repeated(field) else made.SetInParent()
        else:
            value = self.drawn(field, field.default_value, rng, [])
            getattr(owner, field.name).append(value) if self.repeated(field) else setattr(owner, field.name, value)

    def drawn(self, field, value, rng, places):
        if field.type == field.TYPE_STRING:
            texts = [getattr(o, f.name) for o, f in places if f.type == field.TYPE_STRING and not self.repeated(f)]
            return rng.choice([*texts, rng.choice(self.words), "", "\x00", "x" * 300, "../../etc/passwd"])
        if field.type == field.TYPE_BYTES:
            return spoil_bytes(value, rng) if isinstance(value, bytes) else b"\xff"
        if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
            return rng.choice(REALS)
        if field.type == field.TYPE_ENUM:
            return rng.choice(list(field.enum_type.values_by_number))
        return rng.choice((*EXTREMES, value + 1 if isinstance(value, int) else 1))
