"""Read the pickled ``.npy`` motion templates of the authors' release without running anything in them.

Unpickling a file calls whatever functions the file names. Here the pickle is never loaded: `pickletools.genops` only
splits it into opcodes, and a small stack machine of our own rebuilds plain values (numbers, text, lists, dictionaries)
and arrays of numbers. The few NumPy names that such a file needs are words that this machine knows; no name is ever
looked up or called, and any other name or opcode ends the reading with a `MotionError`.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MotionError


class _Refused(Exception):
    """The file holds something else than plain values and arrays of numbers."""


@dataclass(frozen=True)
class _Name:
    module: str
    name: str


@dataclass
class _Dtype:
    code: str
    order: str = "="

    def numeric(self) -> np.dtype:
        """The NumPy type, for plain numbers only."""
        if len(self.code) > 3 or self.code[:1] not in "biuf" or not self.code[1:].isdigit():
            raise _Refused(f"array values of type {self.code!r}")
        order = self.order if self.order in "<>" else "="
        try:
            return np.dtype(order + self.code)
        except TypeError as error:
            raise _Refused(f"array values of type {self.code!r}") from error


@dataclass
class _Array:
    """An array that is being rebuilt: its values come with the BUILD opcode after it."""

    values: Any = None


def _array_of(dtype: Any, data: Any, shape: Any, fortran: bool) -> Any:
    """A list for an array of objects, an ndarray for one of numbers."""
    if not isinstance(dtype, _Dtype) or not _is_shape(shape):
        raise _Refused("an array without type or shape")
    if dtype.code == "O8":
        if not isinstance(data, list):
            raise _Refused("an array of objects without its list")
        return data
    if not isinstance(data, bytes):
        raise _Refused("an array of numbers without its bytes")
    kind = dtype.numeric()
    count = 1
    for length in shape:
        count *= length
    if count * kind.itemsize != len(data):
        raise _Refused("an array whose size does not match its shape")
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(type(length) is int and length >= 0 for length in shape)


def _reconstruct(arguments: tuple) -> _Array:
    return _Array()


def _dtype(arguments: tuple) -> _Dtype:
    if not arguments or not isinstance(arguments[0], str):
        raise _Refused("an unknown array type")
    return _Dtype(arguments[0])


def _scalar(arguments: tuple) -> Any:
    dtype, data = arguments
    return _array_of(dtype, data, (), False)[()]


def _from_buffer(arguments: tuple) -> _Array:
    data, dtype, shape, order = arguments
    return _Array(_array_of(dtype, bytes(data), shape, order == "F"))


def _encode(arguments: tuple) -> bytes:
    text, encoding = arguments
    if not isinstance(text, str) or encoding != "latin1":
        raise _Refused("text in an unknown encoding")
    return text.encode("latin1")


# What old and new NumPy call the makers of arrays, and what stands in for each of them here.
_KNOWN_CALLS: dict[tuple[str, str], Callable[[tuple], Any]] = {
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):
    _KNOWN_CALLS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _KNOWN_CALLS[f"{_core}.multiarray", "scalar"] = _scalar
    _KNOWN_CALLS[f"{_core}.numeric", "_frombuffer"] = _from_buffer
_KNOWN_NAMES = {*_KNOWN_CALLS, ("numpy", "ndarray")}


def _named(module: Any, name: Any) -> _Name:
    if (module, name) not in _KNOWN_NAMES:
        raise _Refused(f"a call of {module}.{name}")
    return _Name(module, name)


def _called(function: Any, arguments: Any) -> Any:
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise _Refused("a call of something unknown")
    call = _KNOWN_CALLS.get((function.module, function.name))
    if call is None:
        raise _Refused(f"a call of {function.module}.{function.name}")
    return call(arguments)


def _build(target: Any, state: Any) -> None:
    if (
        isinstance(target, _Dtype)
        and isinstance(state, tuple)
        and len(state) >= 2
        and isinstance(state[1], str)
    ):
        target.order = state[1]
    elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
        _, shape, dtype, fortran, data = state
        target.values = _array_of(dtype, data, shape, bool(fortran))
    else:
        raise _Refused("the state of an unknown object")


_MARK = object()
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_plain_pickle(data: bytes) -> Any:
    """Rebuild the value of a pickle of plain values and arrays of numbers; arrays of objects become lists.

    Raises `MotionError` without file name for everything else: other names, other opcodes, a damaged or cut file.
    """
    try:
        return _interpreted(data)
    except _Refused as refusal:
        raise MotionError(
            f"it holds {refusal}, which has no place in a motion file and was not run"
        ) from None
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise MotionError("it is damaged or cut short") from error


def _interpreted(data: bytes) -> Any:
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = len(stack) - 1
        while stack[start] is not _MARK:
            start -= 1
            if start < 0:
                raise ValueError("no mark")
        items = stack[start + 1 :]
        del stack[start:]
        return items

    argument: Any
    for opcode, argument, _ in pickletools.genops(data):
        name = opcode.name
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name == "LIST":
            stack.append(since_mark())
        elif name == "DICT":
            items = since_mark()
            stack.append(dict(zip(items[::2], items[1::2], strict=True)))
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "APPENDS":
            items = since_mark()
            stack[-1].extend(items)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            items = since_mark()
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            stack.append(_named(module, attribute))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(_named(module, attribute))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_called(function, arguments))
        elif name == "BUILD":
            state = stack.pop()
            _build(stack[-1], state)
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise _Refused(f"the instruction {name}")
    raise ValueError("no end")


def plain(value: Any) -> Any:
    """The list or ndarray behind a rebuilt array; other values as they are."""
    return value.values if isinstance(value, _Array) else value


def read_released_frames(path: Path) -> list[dict[str, Any]]:
    """The frames of a released ``.npy`` template: dictionaries of plain values and arrays.

    Raises `MotionError`, naming the file, if it is not such a template or holds anything but plain values.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise MotionError(f"{path} cannot be read: {error.strerror or error}.") from error
    stream = BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        _, _, dtype = read_header(stream)
    except Exception as error:  # numpy's header reader lets the tokenizer's and the parser's errors through
        raise MotionError(
            f"{path} is not a motion template of the Follow-Your-Emoji release (.npy). Give such a file, "
            "a .fyemotion file or a driving clip."
        ) from error
    if dtype != np.dtype(object):
        raise MotionError(f"{path} is a plain array, not a motion template of the Follow-Your-Emoji release.")
    try:
        frames = plain(read_plain_pickle(content[stream.tell() :]))
    except MotionError as error:
        raise MotionError(f"{path} cannot be used as a motion template: {error}.") from error.__cause__
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
        raise MotionError(f"{path} is not a motion template: it holds no list of frames.")
    return [{key: plain(value) for key, value in frame.items() if isinstance(key, str)} for frame in frames]
