"""A reader of pickles that can only make plain values: nothing is imported and nothing is called.

Pickle is a program for a stack machine. This one knows the instructions that lists of tensors need:
numbers, text, tuples, lists, dicts, the memo, and a call or a persistent id, both of which it hands to
functions of the caller. Any other instruction is refused. Memory stays in proportion to the input.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import IO, Any, NamedTuple


class Global(NamedTuple):
    """A name that the pickle asks for; it is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


Call = Callable[[Global, tuple[Any, ...]], Any]
PersistentId = Callable[[Any], Any]

Reader = Callable[[IO[bytes]], Any]


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ValueError(f"pickle: expected {count} bytes, the file ends after {len(data)}")
    return data


def _number(layout: str) -> Reader:
    return lambda file: struct.unpack(layout, _exactly(file, struct.calcsize(layout)))[0]


def _counted(layout: str, convert: Callable[[bytes], Any]) -> Reader:
    count = _number(layout)
    return lambda file: convert(_exactly(file, count(file)))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _two_lines(file: IO[bytes]) -> Global:
    lines = file.readline(), file.readline()
    if not all(line.endswith(b"\n") for line in lines):
        raise ValueError("pickle: the file ends in the name of a global")
    module, name = (line[:-1].decode() for line in lines)
    return Global(module, name)


# Instructions that push what stands behind them, and those that use it otherwise.
_VALUES: dict[int, Reader] = {
    ord("J"): _number("<i"),
    ord("K"): _number("<B"),
    ord("M"): _number("<H"),
    0x8A: _counted("<B", _integer),
    0x8B: _counted("<i", _integer),
    ord("G"): _number(">d"),
    ord("X"): _counted("<I", _text),
    0x8C: _counted("<B", _text),
    0x8D: _counted("<Q", _text),
    ord("B"): _counted("<I", bytes),
    ord("C"): _counted("<B", bytes),
    ord("T"): _counted("<i", bytes),
    ord("U"): _counted("<B", bytes),
    ord("c"): _two_lines,
}
_ARGUMENTS: dict[int, tuple[str, Reader | None]] = {
    0x80: ("PROTO", _number("<B")),
    0x95: ("FRAME", _number("<Q")),
    ord("q"): ("BINPUT", _number("<B")),
    ord("r"): ("BINPUT", _number("<I")),
    ord("h"): ("BINGET", _number("<B")),
    ord("j"): ("BINGET", _number("<I")),
    0x94: ("MEMOIZE", None),
    0x85: ("TUPLE1", None),
    0x86: ("TUPLE2", None),
    0x87: ("TUPLE3", None),
    ord("t"): ("TUPLE", None),
    ord("}"): ("EMPTY_DICT", None),
    ord("]"): ("EMPTY_LIST", None),
    ord("("): ("MARK", None),
    0x93: ("STACK_GLOBAL", None),
    ord("s"): ("SETITEM", None),
    ord("u"): ("SETITEMS", None),
    ord("a"): ("APPEND", None),
    ord("e"): ("APPENDS", None),
    ord("b"): ("BUILD", None),
    ord("R"): ("REDUCE", None),
    ord("Q"): ("BINPERSID", None),
}
_CONSTANTS = {ord("N"): None, 0x88: True, 0x89: False, ord(")"): ()}
_STOP = ord(".")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}
_MARK = object()
MAX_INSTRUCTIONS = 10_000_000  # a tensor takes about thirty; an instruction may make an object of 64 bytes


class _Machine:
    def __init__(self, call: Call, persistent_id: PersistentId) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.call = call
        self.persistent_id = persistent_id

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("pickle: the stack is empty")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError(f"pickle: expected a {kind.__name__} on the stack")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack:
            item = self.stack.pop()
            if item is _MARK:
                return items[::-1]
            items.append(item)
        raise ValueError("pickle: no mark on the stack")

    def set_items(self, items: list[Any]) -> None:
        target = self.top(dict)
        if len(items) % 2:
            raise ValueError("pickle: a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            if not isinstance(key, (str, int, float, bytes, type(None))):  # tuples may nest without end
                raise ValueError(f"pickle: a {type(key).__name__} as a key is not supported")
            target[key] = value

    def build(self) -> None:
        """torch sets `_metadata` on the dict of a module; it says nothing about weights."""
        self.pop()
        self.top(dict)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or type(arguments) is not tuple:
            raise ValueError("pickle: a call of something that is not a name")
        self.stack.append(self.call(function, arguments))

    def named_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("pickle: a global is named by text")
        self.stack.append(Global(module, name))

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise ValueError(f"pickle: memo {index} was never stored")
        self.stack.append(self.memo[index])

    def remember(self, index: int) -> None:
        if not self.stack:
            raise ValueError("pickle: the stack is empty")
        self.memo[index] = self.stack[-1]

    def make(self, op: str) -> bool:
        """Instructions that make a container or a name; False if `op` is none."""
        if op in _TUPLES:
            self.stack.append(tuple([self.pop() for _ in range(_TUPLES[op])][::-1]))
        elif op == "TUPLE":
            self.stack.append(tuple(self.pop_to_mark()))
        elif op == "EMPTY_DICT":
            self.stack.append({})
        elif op == "EMPTY_LIST":
            self.stack.append([])
        elif op == "MARK":
            self.stack.append(_MARK)
        elif op == "STACK_GLOBAL":
            self.named_global()
        else:
            return False
        return True

    def change(self, op: str, arg: Any) -> None:
        if op == "BINGET":
            self.recall(arg)
        elif op == "BINPUT":
            self.remember(arg)
        elif op == "MEMOIZE":
            self.remember(len(self.memo))
        elif op == "SETITEM":
            value, key = self.pop(), self.pop()
            self.set_items([key, value])
        elif op == "SETITEMS":
            self.set_items(self.pop_to_mark())
        elif op == "APPEND":
            value = self.pop()
            self.top(list).append(value)
        elif op == "APPENDS":
            values = self.pop_to_mark()
            self.top(list).extend(values)
        elif op == "BUILD":
            self.build()
        elif op == "REDUCE":
            self.reduce()
        elif op == "BINPERSID":
            self.stack.append(self.persistent_id(self.pop()))

    def step(self, code: int, file: IO[bytes]) -> None:
        if code in _VALUES:
            self.stack.append(_VALUES[code](file))
        elif code in _CONSTANTS:
            self.stack.append(_CONSTANTS[code])
        elif code in _ARGUMENTS:
            op, reader = _ARGUMENTS[code]
            arg = reader(file) if reader else None
            if op not in _IGNORED and not self.make(op):
                self.change(op, arg)
        else:
            raise ValueError(f"pickle: the instruction {_shown(code)} is not supported")


def _shown(code: int) -> str:
    import pickletools  # for messages alone

    known = pickletools.code2op.get(chr(code))  # type: ignore[attr-defined]
    return known.name if known else f"0x{code:02x}"


def refuse_calls(function: Global, _arguments: tuple[Any, ...]) -> Any:
    raise ValueError(f"pickle: {function} is not allowed here")


def refuse_persistent_ids(_value: Any) -> Any:
    raise ValueError("pickle: a persistent id is not allowed here")


def load(
    file: IO[bytes], call: Call = refuse_calls, persistent_id: PersistentId = refuse_persistent_ids
) -> Any:
    """The value of the pickle that starts at the file's position, which is left behind its end.

    `file.read(n)` must not reserve n bytes before it knows that they are there (BytesIO and mmap do not).
    Raises ValueError for anything that is not allowed or not a pickle.
    """
    machine = _Machine(call, persistent_id)
    for _ in range(MAX_INSTRUCTIONS):
        (code,) = _exactly(file, 1)
        if code == _STOP:
            result = machine.pop()
            if machine.stack:
                raise ValueError("pickle: values are left on the stack")
            return result
        machine.step(code, file)
    raise ValueError(f"pickle: no end within {MAX_INSTRUCTIONS} instructions")
