"""Motions in and out of files, without loss and without trust."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from followyouremoji.arrays import FREE_BYTES, MOST_UNPACKED
from followyouremoji.errors import MotionError
from followyouremoji.face.motion import FURTHEST, MOST_HEADER, Motion


def wandering(frames: int = 12, scores: bool = True, rest: bool = False) -> Motion:
    rng = np.random.default_rng(0)
    landmarks = (0.5 + np.cumsum(rng.normal(0, 0.002, (frames, 478, 3)), axis=0)).astype(np.float32)
    return Motion(
        landmarks=landmarks,
        timestamps=np.arange(frames) / 29.97,
        frame_rate=29.97,
        size=(640, 360),
        source="Grüße.mp4",
        found=rng.random(frames) > 0.3,
        blendshapes=rng.random((frames, 52)).astype(np.float32) if scores else None,
        rest=landmarks[3] + np.float32(0.01) if rest else None,
    )


def assert_same(one: Motion, other: Motion) -> None:
    assert one.landmarks.tobytes() == other.landmarks.tobytes()
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    np.testing.assert_array_equal(one.found, other.found)
    assert (one.frame_rate, one.size, one.source) == (other.frame_rate, other.size, other.source)
    assert (one.blendshapes is None) == (other.blendshapes is None)
    if one.blendshapes is not None:
        np.testing.assert_array_equal(one.blendshapes, other.blendshapes)
    assert (one.rest is None) == (other.rest is None)
    if one.rest is not None:
        np.testing.assert_array_equal(one.rest, other.rest)


@pytest.mark.parametrize("rest", [True, False])
@pytest.mark.parametrize("scores", [True, False])
def test_what_is_saved_is_loaded(tmp_path: Path, scores: bool, rest: bool) -> None:
    motion = wandering(scores=scores, rest=rest)
    motion.save(tmp_path / "one.fyemotion")
    assert_same(Motion.load(tmp_path / "one.fyemotion"), motion)
    assert [file.name for file in tmp_path.iterdir()] == ["one.fyemotion"]


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (3, 478, 3),
        elements=st.floats(-FURTHEST, FURTHEST, width=32),
        fill=st.nothing() | st.just(np.float32(-0.0)),
    )
)
def test_any_float_survives_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, landmarks: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("motion") / "m.fyemotion"
    landmarks[:, 33] = 0.0, 1.0, 0.0  # a face has some extent, and eyes
    landmarks[:, 133] = 1.0, 0.0, 0.0
    landmarks[:, 362] = 2.0, 0.0, 0.0
    landmarks[:, 263] = 3.0, 0.0, 0.0
    motion = Motion(landmarks, np.arange(3.0), 1.0, (8, 8), "x", np.ones(3, bool))
    motion.save(path)
    assert Motion.load(path).landmarks.tobytes() == landmarks.tobytes()


def test_a_motion_file_is_smaller_than_compressed_floats(tmp_path: Path) -> None:
    motion = wandering(60, scores=False)
    motion.save(tmp_path / "one.fyemotion")
    np.savez_compressed(tmp_path / "plain.npz", motion.landmarks)
    assert (tmp_path / "one.fyemotion").stat().st_size < 0.8 * (tmp_path / "plain.npz").stat().st_size


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "one.fyemotion"
    wandering(5).save(path)
    before = path.read_bytes()
    with pytest.raises(MotionError, match="already"):
        wandering(6).save(path)
    assert path.read_bytes() == before
    wandering(6).save(path, overwrite=True)
    assert len(Motion.load(path)) == 6


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(MotionError, match="nowhere"):
        wandering().save(tmp_path / "nowhere" / "one.fyemotion")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_a_flipped_bit(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def rewritten(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[bytes], bytes]:
    def write(content: bytes) -> bytes:
        arrays = dict(np.load(io.BytesIO(content)))
        change(arrays)
        stream = io.BytesIO()
        np.savez(stream, **arrays)
        return stream.getvalue()

    return write


def with_header(text: str | None = None, **entries: object) -> Callable[[bytes], bytes]:
    """With other entries of the header, or all its text another."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        header = json.loads(arrays["header"].tobytes()) | entries
        arrays["header"] = np.frombuffer((text or json.dumps(header)).encode(), np.uint8)

    return rewritten(change)


def of_type(name: str, dtype: str) -> Callable[[bytes], bytes]:
    return rewritten(lambda arrays: arrays.update({name: np.zeros(arrays[name].shape, dtype)}))


def shorter_times(arrays: dict[str, np.ndarray]) -> None:
    arrays["timestamps"] = arrays["timestamps"][:-1]


def bomb(_: bytes) -> bytes:
    """A zip whose directory promises 3 GiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("landmarks.npy", b"0")
    content = bytearray(stream.getvalue())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (3 << 30).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "cut short"),
        (with_a_flipped_bit, "motion file|damaged"),
        (lambda _: b"just some text", "not a motion file"),
        (lambda _: b"", "not a motion file"),
        (rewritten(lambda arrays: arrays.__delitem__("header")), "not a motion file"),
        (with_header(version=99), "version 99"),
        (with_header(version="\x1b[2J" * 2000), r"version \\x1b\[2J"),
        (with_header("[" * 50_000), "nest deeper"),
        (
            with_header('{"a": "' + "x" * MOST_HEADER + '"}'),
            "longer than 64 KiB",
        ),  # as objects 30 times as long
        (with_header(size=[1e400, 1]), "not finite"),
        (with_header(size=[1.5, 1]), "does not say"),
        (with_header(frame_rate="25"), "does not say"),
        (with_header(source=["\x1b]0;evil"] * 1000), "does not say"),
        (
            with_header(source="\x1b[31m" * 3000, frame_rate=0),
            r"used: \\x1b\[31m.*\.\.\. has a frame rate of 0",
        ),
        (with_header(quarter_turns=0.5), "does not say"),
        (of_type("timestamps", "<i8"), "timestamps holds int64"),
        (of_type("found", "<U3"), "found holds <U3"),
        (of_type("landmarks", "<f4"), "landmarks holds float32"),
        (
            rewritten(lambda arrays: arrays.update(landmarks=np.zeros((), np.uint8))),
            "landmarks have the shape",
        ),
        (rewritten(lambda arrays: arrays.__delitem__("found")), "damaged"),
        (rewritten(shorter_times), "do not belong together"),
        (rewritten(lambda arrays: arrays.update(landmarks=arrays["landmarks"][:2])), "damaged"),
        (rewritten(lambda arrays: arrays.update(rest=np.zeros((478, 3)))), "rest holds float64"),
        (rewritten(lambda arrays: arrays.update(header=np.array([{}], object))), "damaged"),
        (bomb, "MiB"),
    ],
)
def test_bad_files_are_refused_by_name(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    path = tmp_path / "one.fyemotion"
    wandering().save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MotionError, match=message) as caught:
        Motion.load(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 250


def wandering_without(points: tuple[int, ...]) -> np.ndarray:
    landmarks = wandering().landmarks.copy()
    landmarks[:, points] = 0.5
    return landmarks


ABSURD = {
    "far outside": {"landmarks": np.full((12, 478, 3), 1e6, np.float32)},
    "in one point": {"landmarks": np.full((12, 478, 3), 0.5, np.float32)},
    "without extent": {
        "landmarks": np.float32(0.5) + np.eye(478, 3, dtype=np.float32) * np.ones((12, 1, 1), np.float32)
    },
    "without eyes": {"landmarks": wandering_without((33, 133, 263, 362))},
    "do not rise": {"timestamps": np.arange(12.0)[::-1] / 30},
    "do not fit": {"timestamps": np.arange(12.0) * 1e7},
    "frame rate of 1e-09": {"frame_rate": 1e-9},
    "NaN is not finite": {"frame_rate": float("nan")},
    "picture size of 1000000x1000000": {"size": (1_000_000, 1_000_000)},
    "picture size of 1x60000": {"size": (1, 60_000)},
    "are not finite": {"rest": np.full((478, 3), np.nan, np.float32)},
    "face without extent": {"rest": np.full((478, 3), 0.5, np.float32)},
    "do not belong together": {"rest": np.zeros((468, 3), np.float32)},
    "expression scores": {"blendshapes": np.full((12, 52), np.inf, np.float32)},
}


@pytest.mark.parametrize("message", ABSURD)
def test_finite_numbers_that_no_face_has_are_refused(tmp_path: Path, message: str) -> None:
    """These ended in a MemoryError, a LinAlgError, a ZeroDivisionError or a hang later on."""
    motion = wandering()
    for name, value in ABSURD[message].items():
        object.__setattr__(motion, name, value)  # past the check, as a file made by others
    motion.save(tmp_path / "absurd.fyemotion")
    with pytest.raises(MotionError, match=message) as caught:
        Motion.load(tmp_path / "absurd.fyemotion")
    assert "absurd.fyemotion" in str(caught.value)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.fyemotion"
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open("landmarks.npy", "w") as member:
        for _ in range(1 + FREE_BYTES // 2**20):
            member.write(bytes(2**20))
    assert path.stat().st_size < FREE_BYTES / MOST_UNPACKED
    with pytest.raises(MotionError, match=r"bomb\.fyemotion unpacks to 257 MiB"):
        Motion.load(path)


def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path: Path) -> None:
    """NumPy would make room for it: 8 TiB."""
    path = tmp_path / "promise.fyemotion"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("timestamps.npy", header.getvalue())
    with pytest.raises(MotionError, match=r"promise\.fyemotion is not a motion file, or it is damaged"):
        Motion.load(path)


def test_a_held_pose_of_many_minutes_is_no_bomb(tmp_path: Path) -> None:
    frames = 15_000  # 86 MB of landmarks
    still = np.repeat(wandering(1, scores=False).landmarks, frames, axis=0)
    motion = Motion(still, np.arange(frames) / 30, 30.0, (8, 8), "x", np.ones(frames, bool))
    motion.save(tmp_path / "still.fyemotion")
    assert len(Motion.load(tmp_path / "still.fyemotion")) == frames


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MotionError, match=r"no motion file .*absent"):
        Motion.load(tmp_path / "absent.fyemotion")


def test_a_slice_keeps_its_times() -> None:
    motion = wandering(10)
    part = motion[4:8]
    assert len(part) == 4
    assert part.timestamps[0] == motion.timestamps[4]
    assert part.duration == pytest.approx(4 / 29.97)
    np.testing.assert_array_equal(part.blendshapes, motion.blendshapes[4:8])  # type: ignore[index]


def test_scores_that_are_not_finite_are_refused() -> None:
    whole = wandering()
    assert whole.blendshapes is not None
    scores = whole.blendshapes.copy()
    scores[1, 3] = np.nan
    with pytest.raises(MotionError):
        replace(whole, blendshapes=scores)
