"""The pickled ``.npy`` motion templates of the release, read in bounded time and memory; nothing in them is run."""

import pickle
import pickletools
import re
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.reading import read_bytes

from ..errors import MotionError

KEYS = ("lmks", "bs", "width", "height")
MOST_BYTES, MOST_FRAMES = 1 << 27, 2000  # a template of the release has 4 MB and 150 frames
MOST_OPCODES, MOST_TUPLES = 200 * MOST_FRAMES, 20 * MOST_FRAMES  # tuples in tuples are hashed by recursion
SIZES = range(1 << 14)  # of an array, in bytes, and of its sides; the landmarks of a frame have 11 472
HEADER = rb"\x93NUMPY.{4,6}{'descr': '\|O', 'fortran_order': \w+, 'shape': \((\d{1,9}),\), } *\n"
NAMES = r"numpy (dtype|ndarray)|numpy\._?core\.(multiarray (_reconstruct|scalar)|numeric _frombuffer)|_codecs encode"
REFUSED = r"INST|(NEW)?OBJ(_EX)?|EXT\d|(BIN)?PERSID|DUP|POP(_MARK)?|.*SET|ADDITEMS|.*BUFFER"


class _Call:
    """A call of a name of NumPy's, which is never made: what the name was given, and the state that came after."""

    def __init__(self, name: str, *given: Any) -> None:
        self.name, self.given, self.state = name, given, None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if not re.fullmatch(NAMES, f"{module} {name}"):
            raise pickle.UnpicklingError
        return lambda *given: _Call(name, *given)


def _check(pickled: bytes) -> None:
    """Refuse what the unpickler would obey at any cost: far places in its memo, and keys that are hard to hash."""
    holds_tuple: dict[Any, bool] = {}  # by place
    tuples, previous = 0, ""
    for count, (opcode, place, _) in enumerate(pickletools.genops(pickled)):
        name = opcode.name
        refused = holds_tuple[place] if "GET" in name else re.fullmatch(REFUSED, name)
        if refused or count > MOST_OPCODES or tuples > MOST_TUPLES:
            raise ValueError
        if "PUT" in name or name == "MEMOIZE":
            holds_tuple[len(holds_tuple) if place is None else range(count)[place]] = "TUPLE" in previous
        else:
            tuples, previous = tuples + ("TUPLE" in name), name


def _plain(value: Any) -> Any:
    """The number, numbers or array of numbers that a value stands for."""
    match value:
        case None | int() | float() if abs(value or 0) < 1e9:
            return value
        case list() if len(value) < 100:
            return [float(_plain(one)) for one in value]
        case _Call(name="scalar", given=(dtype, data)):
            return _plain(_Call("_frombuffer", data, dtype, (), "C"))
        case _Call(name="_reconstruct", state=(_, shape, dtype, fortran, data)):
            return _plain(_Call("_frombuffer", data, dtype, shape, "F" if fortran else "C"))
    data, dtype, shape, order = value.given
    data = data.given[0][: SIZES.stop].encode("latin1") if isinstance(data, _Call) else data
    kind = re.fullmatch("[<>|=][biuf]([1248])", f"{dtype.state[1]}{dtype.given[0]}")
    if not kind or prod(map(SIZES.index, shape[:4])) * int(kind[1]) != len(data) or len(data) not in SIZES:
        raise ValueError
    return np.frombuffer(data, kind[0]).reshape(shape, order=order)


def read_released_frames(path: Path) -> list[dict[str, Any]]:
    """The frames of a released template: of each what a motion needs, as numbers and arrays. Raises `MotionError`."""
    try:
        content = read_bytes(path, MOST_BYTES)
        header = re.match(HEADER, content, re.DOTALL)
        pickled = content[header.end() if header else 0 :]
        _check(pickled)
        frames = _Unpickler(BytesIO(pickled)).load().state[4]
        if header is None or not int(header[1]) == len(frames) <= MOST_FRAMES:
            raise ValueError
        return [{key: _plain(frame.get(key)) for key in KEYS} for frame in frames]
    except FileNotFoundError as error:
        raise MotionError(f"There is no motion file {path}.") from error
    except OSError as error:
        raise MotionError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # damaged files fail in many ways inside Python and NumPy
        raise MotionError(
            f"{path} is no motion template of the release (.npy), or damaged; nothing in it was run. Give another, or a clip."
        ) from error
