"""The release's pickled templates: read by every pickle protocol, and nothing in them ever runs."""

import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import MotionError
from followyouremoji.face.motion import Motion
from followyouremoji.face.released_motion import KEYS, MOST_BYTES, MOST_FRAMES, read_released_frames


def template(frames: int = 4) -> list[dict[str, Any]]:
    """Frames with the keys of a released template; values of several kinds, as different NumPys write them."""
    rng = np.random.default_rng(0)
    return [
        {
            "lmks": rng.random((478, 3)),
            "lmks3d": rng.random((468, 3)).astype(np.float32),
            "trans_mat": np.asfortranarray(rng.random((4, 4))),
            "faces": rng.integers(0, 468, (10, 3)),
            "bs": [float(score) for score in rng.random(52)] if index % 2 else rng.random(52).astype(">f4"),
            "width": 512,
            "height": np.int64(384),
        }
        for index in range(frames)
    ]


def write_pickle(path: Path, pickled: bytes, frames: int = 1) -> Path:
    """A ``.npy`` of so many objects, as its header says, with any bytes for their pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (%d,), }" % frames
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + pickled)
    return path


def write_template(path: Path, value: Any, protocol: int = 4) -> Path:
    """An object-array ``.npy`` as `numpy.save` writes it, with any pickle protocol."""
    array = np.empty(len(value), object)
    array[:] = value
    return write_pickle(path, pickle.dumps(array, protocol=protocol), len(value))


@pytest.mark.parametrize("protocol", range(6))
def test_a_template_is_read_as_it_was_written(tmp_path: Path, protocol: int) -> None:
    frames = template()
    read = read_released_frames(write_template(tmp_path / "t.npy", frames, protocol))
    assert len(read) == len(frames)
    for one, other in zip(read, frames, strict=True):
        for key in KEYS:
            np.testing.assert_array_equal(one[key], other[key])


def test_a_template_becomes_a_motion(tmp_path: Path) -> None:
    frames = template()
    motion = Motion.from_release(write_template(tmp_path / "smile.npy", frames))
    np.testing.assert_array_equal(
        motion.landmarks, np.stack([frame["lmks"] for frame in frames]).astype(np.float32)
    )
    np.testing.assert_allclose(motion.timestamps, np.arange(4) / 30)
    assert motion.blendshapes is not None
    np.testing.assert_allclose(motion.blendshapes[1], frames[1]["bs"], rtol=1e-6)
    assert (motion.size, motion.source, motion.frame_rate) == ((512, 384), "smile.npy", 30.0)


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_code_in_a_template_is_refused_and_never_runs(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "ran"
    for payload in (
        Runs(os.mkdir, str(target)),
        Runs(eval, f"__import__('os').mkdir({str(target)!r})"),
        Runs(np.save, str(target), 0),
        Runs(getattr, str(target), "upper"),
    ):
        frames = template()
        frames[2]["lmks"] = payload
        with pytest.raises(MotionError, match="nothing in it was run"):
            Motion.from_release(write_template(tmp_path / "evil.npy", frames, protocol))
    assert [file.name for file in tmp_path.iterdir()] == ["evil.npy"]


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'echo'\ntR.",  # the classic
        b"(S'echo'\nios\nsystem\n.",  # INST
        b"\x80\x02cnumpy\ndtype\n)\x81.",  # NEWOBJ on a known name
        b"\x80\x02c__builtin__\neval\n.",  # a name alone
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.",  # a NumPy name that is not needed
        b"\x80\x02Ppersistent\n.",  # persistent id
        b"\x80\x02(c__builtin__\nobject\no.",  # OBJ
        b"\x80\x02\x82\x01.",  # a registered extension
        b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00ac__builtin__\neval\nsb.",  # BUILD on a name
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",  # a dotted name
    ],
)
def test_other_names_and_opcodes_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(MotionError, match="nothing in it was run"):
        read_released_frames(write_pickle(tmp_path / "evil.npy", content))


def doubled(inner: bytes, wrap: bytes, times: int) -> bytes:
    """A value that holds the one before it twice, so many times over."""
    steps = [
        b"h" + bytes([place]) * 1 + b"h" + bytes([place]) + wrap + b"q" + bytes([place + 1])
        for place in range(times)
    ]
    return inner + b"q\x00" + b"".join(steps)


def array_of(shape: bytes, kind: bytes, held: bytes) -> bytes:
    """The pickle of an array of a shape and type, with what it holds."""
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00" + kind + b"\x85R(K\x03X\x01\x00\x00\x00<tb"
    return b"cnumpy.core.multiarray\n_reconstruct\n(tR(K\x01" + shape + dtype + b"\x89" + held + b"tb"


BOMBS = {
    "a far place in the memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "a far place in the memo as text": b"Np99999999999\n.",
    "a negative place": b"Np-1\n.",
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"ab.",
    "a bytearray that is not there": b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"ab.",
    "a frame that is not there": b"\x80\x04\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "lists nested deeply": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "a deeply nested key": b"\x80\x02}N" + b"\x85" * 300_000 + b"Ns.",
    "a key that doubles": b"\x80\x02}" + doubled(b"N\x85", b"\x86", 60) + b"Ns.",
    "a key that doubles, without a memo": b"\x80\x02}N\x85" + b"2\x86" * 60 + b"Ns.",
    "a huge shape of objects": array_of(b"\x8a\x05\x00\x00\x00\x00\x10\x85", b"O8", b"]}a") + b".",
    "a huge shape of nothing": array_of(
        b"K\x01\x85",
        b"O8",
        b"]}X\x02\x00\x00\x00bs" + array_of(b"(" + b"M\x00\x30" * 100_000 + b"t", b"f8", b"C\x00") + b"sa",
    )
    + b".",
    "too many instructions": b"\x80\x02(" + b"}" * 500_000 + b"l.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_much_is_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    path = write_pickle(tmp_path / "bomb.npy", BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(MotionError, match=r"bomb\.npy"):
            Motion.from_release(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 27
    finally:
        tracemalloc.stop()


def test_objects_in_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    doubling: list[Any] = [0.5]
    for _ in range(60):
        doubling = [doubling, doubling]
    for held in (
        doubling,
        [[1.0] * 52],
        [np.array([{}], object)] * 52,
        {"a": 1},
        "text",
        1 << 100_000,
        np.array(["text"]),
    ):
        frame = {**template(1)[0], "bs": held}
        with pytest.raises(MotionError, match="nothing in it was run"):
            read_released_frames(write_template(tmp_path / "t.npy", [frame]))


def test_one_array_for_all_frames_takes_the_memory_of_one(tmp_path: Path) -> None:
    shared = np.zeros((1 << 20, 3))
    frames = [{"lmks": shared, "width": 1, "height": 1}] * 1000
    with pytest.raises(MotionError, match="nothing in it was run"):
        Motion.from_release(write_template(tmp_path / "t.npy", frames))


def test_sizes_are_bounded(tmp_path: Path) -> None:
    path = write_template(tmp_path / "t.npy", template(1) * (MOST_FRAMES + 1))
    with pytest.raises(MotionError):
        read_released_frames(path)
    with path.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(MotionError):
        read_released_frames(path)
    with pytest.raises(MotionError):  # fewer than the header says
        read_released_frames(write_pickle(path, pickle.dumps(np.array([{}, {}], object), 2), 3))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    for path in (tmp_path / "pipe.npy", Path("/dev/zero")):
        with pytest.raises(MotionError, match="no regular file"):
            read_released_frames(path)


@pytest.mark.parametrize("seed", range(5))
def test_damaged_templates_end_in_one_kind_of_error(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(write_template(tmp_path / "t.npy", template(1)).read_bytes())
    for _ in range(40):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 30):
            damaged[place] = rng.integers(0, 256)
        (tmp_path / "t.npy").write_bytes(damaged[: rng.integers(1, len(content))])
        with pytest.raises(MotionError, match=r"t\.npy"):
            Motion.from_release(tmp_path / "t.npy")


def test_an_array_larger_than_its_bytes_is_refused(tmp_path: Path) -> None:
    honest = pickle.dumps(np.array([{"bs": np.zeros(1)}], object), protocol=2)
    assert read_released_frames(write_pickle(tmp_path / "t.npy", honest))[0]["bs"].shape == (1,)
    before, shape, after = honest.rpartition(b"K\x01K\x01\x85")  # version 1, shape (1,)
    assert shape
    with pytest.raises(MotionError, match="nothing in it was run"):
        read_released_frames(write_pickle(tmp_path / "t.npy", before + b"K\x01K\x09\x85" + after))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text("no numbers here"), "no motion template"),
        (lambda path: path.write_bytes(b""), "no motion template"),
        (lambda path: np.save(path, np.zeros((3, 478, 3))), "no motion template"),
        (lambda path: write_template(path, [1, 2, 3]), "no motion template"),
        (lambda path: write_template(path, [{"width": 5}]), "lack landmarks"),
        (lambda path: write_template(path, [{"lmks": np.zeros((68, 2)), "width": 5, "height": 5}]), "478"),
        (lambda path: path.mkdir(), "it is a folder"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, write: Any, message: str) -> None:
    path = tmp_path / "other.npy"
    write(path)
    with pytest.raises(MotionError, match=message) as caught:
        Motion.from_release(path)
    assert str(path) in str(caught.value)
