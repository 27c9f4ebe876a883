"""Members of a clip that are not what they should be: refused before room is made for what they promise."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable

import numpy as np
import pytest

from followyouremoji.arrays import FREE_BYTES
from followyouremoji.data.stored_clip import decode_picture, encode_picture, read_facts, read_points
from followyouremoji.errors import DataError
from tests.data.samples import SIZE, face_points

FACTS = {"format": "followyouremoji-clip", "version": 2, "size": SIZE, "frames": 3}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a": ' * 100_000,
        "[1]",
        json.dumps({**FACTS, "size": 10**9}),
        json.dumps({**FACTS, "frames": float("inf")}),
        json.dumps({**FACTS, "frames": [1] * 5000}),
        json.dumps({**FACTS, "version": "\x1b[2J" * 5000}),
        json.dumps({**FACTS, "version": [2]}),
    ],
)
def test_facts_that_say_nothing_of_use_are_refused_shortly(text: str) -> None:
    with pytest.raises(DataError, match=r"KEY\.json") as refused:
        read_facts(text.encode(), "KEY.json")
    assert len(str(refused.value)) < 250


def archive(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def promising() -> bytes:
    """An archive of some hundred bytes whose array NumPy would make 5.7 GB of room for."""
    header, stream = io.BytesIO(), io.BytesIO()
    shape = (500_000, 478, 3)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("points.npy", header.getvalue())
    return stream.getvalue()


@pytest.mark.parametrize(
    "made",
    [
        promising,
        lambda: archive(points=np.full((3, 478, 3), "text")),
        lambda: archive(points=np.zeros((3, 478, 3), int)),
        lambda: archive(points=np.full((3, 478, 3), 1e300)),
        lambda: archive(points=np.full((3, 478, 3), np.nan)),
        lambda: archive(points=np.float32(1.0)),
        lambda: archive(points=face_points(3), more=np.zeros(FREE_BYTES, np.uint8)),
    ],
)
def test_points_that_are_none_are_refused_in_little_memory(made: Callable[[], bytes]) -> None:
    content = made()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"KEY\.npz"):
            read_points(content, 3, "KEY.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("side", [SIZE + 8, 36_000])
def test_a_picture_that_promises_another_size_is_never_decoded(side: int) -> None:
    """36 000 x 36 000 pixels are 1300 megapixels, at which Pillow raises an error of its own."""
    picture = encode_picture(np.zeros((SIZE, SIZE, 3), np.uint8), 90)
    place = picture.index(b"\xff\xc0") + 5  # height and width of the frame
    sides = side.to_bytes(2, "big") * 2
    with pytest.raises(DataError, match="frame 0 is"):
        decode_picture(picture[:place] + sides + picture[place + 4 :], SIZE, "frame 0")
