"""Motions in and out of files, without loss and without trust; frames without a face."""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from followyouremoji.errors import FaceNotFound, MotionError
from followyouremoji.face.detection import FaceDetector, Landmarks
from followyouremoji.face.motion import Motion, track_motion


def wandering(frames: int = 12, scores: bool = True) -> Motion:
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
    )


def assert_same(one: Motion, other: Motion) -> None:
    assert one.landmarks.tobytes() == other.landmarks.tobytes()
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    np.testing.assert_array_equal(one.found, other.found)
    assert (one.frame_rate, one.size, one.source) == (other.frame_rate, other.size, other.source)
    assert (one.blendshapes is None) == (other.blendshapes is None)
    if one.blendshapes is not None:
        np.testing.assert_array_equal(one.blendshapes, other.blendshapes)


@pytest.mark.parametrize("scores", [True, False])
def test_what_is_saved_is_loaded(tmp_path: Path, scores: bool) -> None:
    motion = wandering(scores=scores)
    motion.save(tmp_path / "one.fyemotion")
    assert_same(Motion.load(tmp_path / "one.fyemotion"), motion)
    assert [file.name for file in tmp_path.iterdir()] == ["one.fyemotion"]


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (3, 478, 3),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
        fill=st.nothing() | st.just(np.float32(-0.0)),
    )
)
def test_any_float_survives_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, landmarks: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("motion") / "m.fyemotion"
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


def newer(arrays: dict[str, np.ndarray]) -> None:
    header = json.loads(arrays["header"].tobytes()) | {"version": 99}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)


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
        (rewritten(newer), "version 99"),
        (rewritten(lambda arrays: arrays.__delitem__("found")), "damaged"),
        (rewritten(shorter_times), "do not belong together"),
        (rewritten(lambda arrays: arrays.update(landmarks=arrays["landmarks"][:2])), "damaged"),
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
    if message != "do not belong together":
        assert str(path) in str(caught.value)


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


class ScriptedDetector(FaceDetector):
    """Sees in frame i a face whose every coordinate is i, except in the frames that are missing."""

    def __init__(self, missing: set[int]) -> None:
        super().__init__()
        self.missing = missing

    def track(self, frames: Iterable[np.ndarray], face: int | None = None) -> Iterator[Landmarks | None]:
        for index, _ in enumerate(frames):
            face_here = Landmarks(
                np.full((478, 3), index, np.float32), (8, 8), np.full(52, index, np.float32)
            )
            yield None if index in self.missing else face_here


def tracked(missing: set[int], frames: int = 40) -> tuple[Motion, str]:
    """A clip of 10 frames a second."""
    clip = ((index / 10, np.zeros((8, 8, 3), np.uint8)) for index in range(frames))
    motion, report = track_motion(clip, 10.0, ScriptedDetector(missing), "clip.mp4")
    return motion, str(report)


def test_a_short_gap_is_bridged_and_reported() -> None:
    motion, report = tracked({5, 6, 7, 8, 9})  # half a second
    np.testing.assert_allclose(motion.landmarks[:, 0, 0], np.arange(40), rtol=1e-6)
    np.testing.assert_allclose(motion.blendshapes[:, 0], np.arange(40), rtol=1e-6)  # type: ignore[index]
    assert list(np.flatnonzero(~motion.found)) == [5, 6, 7, 8, 9]
    assert "0.50 s for 0.50 s (frames 5 to 9)" in report
    assert "interpolation" in report


def test_a_long_gap_holds_the_last_pose_and_is_reported() -> None:
    motion, report = tracked(set(range(5, 11)))
    assert (motion.landmarks[5:11] == 4).all()
    assert "frames 5 to 10" in report
    assert "last pose is held" in report


def test_the_ends_hold_the_nearest_pose() -> None:
    motion, report = tracked({0, 1, 39})
    assert (motion.landmarks[:2] == 2).all()
    assert (motion.landmarks[39] == 38).all()
    assert len(report.splitlines()) == 2
    assert "first pose is held" in report


def test_a_clip_without_gaps_reports_nothing() -> None:
    motion, report = tracked(set())
    assert motion.found.all()
    assert report == ""


def test_a_clip_without_any_face_is_an_error() -> None:
    with pytest.raises(FaceNotFound, match=r"clip\.mp4 \(40 frames\)"):
        tracked(set(range(40)))


def test_a_stream_of_times_and_pictures_is_read_once() -> None:
    stream = ((0.5 + index / 7, np.zeros((8, 8, 3), np.uint8)) for index in range(9))
    motion, _ = track_motion(stream, 7.0, ScriptedDetector({3}), "clip.mp4")
    np.testing.assert_allclose(motion.timestamps, 0.5 + np.arange(9) / 7)
    assert motion.size == (8, 8)
