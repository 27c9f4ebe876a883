"""The release's pickled templates: read by every pickle protocol, and nothing in them ever runs."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from followyouremoji.errors import MotionError
from followyouremoji.face.motion import Motion
from followyouremoji.face.released_motion import read_plain_pickle, read_released_frames


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


def write_template(path: Path, value: Any, protocol: int = 4) -> Path:
    """An object-array ``.npy`` as `numpy.save` writes it, with any pickle protocol."""
    array = np.empty(len(value), object)
    array[:] = value
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    header = stream.getvalue().split(b"\n")[0] + b"\n"
    path.write_bytes(header + pickle.dumps(array, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_a_template_is_read_as_it_was_written(tmp_path: Path, protocol: int) -> None:
    frames = template()
    read = read_released_frames(write_template(tmp_path / "t.npy", frames, protocol))
    assert len(read) == len(frames)
    for one, other in zip(read, frames, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_a_template_becomes_a_motion(tmp_path: Path) -> None:
    frames = template()
    motion = Motion.from_release(write_template(tmp_path / "smile.npy", frames), frame_rate=25.0)
    np.testing.assert_array_equal(
        motion.landmarks, np.stack([frame["lmks"] for frame in frames]).astype(np.float32)
    )
    np.testing.assert_allclose(motion.timestamps, np.arange(4) / 25)
    assert motion.blendshapes is not None
    np.testing.assert_allclose(motion.blendshapes[1], frames[1]["bs"], rtol=1e-6)
    assert (motion.size, motion.source, motion.frame_rate) == ((512, 384), "smile.npy", 25.0)


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
        with pytest.raises(MotionError, match="was not run"):
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
    ],
)
def test_other_names_and_opcodes_are_refused(content: bytes) -> None:
    with pytest.raises(MotionError, match=r"was not run|damaged"):
        read_plain_pickle(content)


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


def test_an_array_larger_than_its_bytes_is_refused() -> None:
    honest = pickle.dumps(np.zeros(1), protocol=2)
    forged = honest.replace(b"K\x01K\x01\x85", b"K\x01K\x09\x85")  # version 1, shape (1,) made (9,)
    assert forged != honest
    with pytest.raises(MotionError, match="does not match its shape"):
        read_plain_pickle(forged)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text("no numbers here"), "not a motion template"),
        (lambda path: path.write_bytes(b""), "not a motion template"),
        (lambda path: np.save(path, np.zeros((3, 478, 3))), "plain array"),
        (lambda path: write_template(path, [1, 2, 3]), "no list of frames"),
        (lambda path: write_template(path, [{"width": 5}]), "lack landmarks"),
        (lambda path: write_template(path, [{"lmks": np.zeros((68, 2)), "width": 5, "height": 5}]), "478"),
        (lambda path: path.mkdir(), "cannot be read"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, write: Any, message: str) -> None:
    path = tmp_path / "other.npy"
    write(path)
    with pytest.raises(MotionError, match=message) as caught:
        Motion.from_release(path)
    assert str(path) in str(caught.value)
