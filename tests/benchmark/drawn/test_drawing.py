"""Drawing a slice: the same bytes always, whatever else is drawn and however often it was stopped."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("skia")

from followyouremoji.benchmark.drawn import FULL, Slice, draw_suite
from followyouremoji.benchmark.drawn.motions import MOTIONS
from followyouremoji.benchmark.drawn.slices import motion_of
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import MANIFEST, Suite
from followyouremoji.errors import DataError
from followyouremoji.executors import Local, Processes
from followyouremoji.media.clips import ClipReader
from followyouremoji.portraits import Performance

TINY = Slice("tiny", (1,), (3, 360), size=64, frames=6, truth_frames=4)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Suite:
    return draw_suite(tmp_path_factory.mktemp("drawn") / "suite", TINY, Local())


def test_the_manifest_names_all_files_with_their_checksums(suite: Suite) -> None:
    named = {file.path: file.sha256 for file in suite.manifest.files()}
    there = contents(suite.folder)
    del there[MANIFEST]
    assert named == there
    assert suite.manifest.size == 64
    assert {item.style for item in suite.manifest.portraits} == {"person", "animal"}
    for item in (*suite.manifest.portraits, *suite.manifest.clips):
        assert "CC0" in item.licence
        assert f"seed {TINY.seed}" in item.source


def test_cases_know_the_true_result_landmarks_and_gaze(suite: Suite) -> None:
    cases = suite.cases(Protocol(size=64, frames=3))
    assert [case.mode for case in cases] == ["self", "cross", "cross"]
    for case in cases:
        assert case.truth.shape == (3, 64, 64, 3)
        assert case.truth.dtype == np.uint8
        assert len(case.truth_motion) == 3
        assert case.truth_gaze.shape == (3, 2, 2)
        assert np.isfinite(case.truth_gaze).all()
        assert case.expression in {motion.group for motion in MOTIONS}
        # At rest in the first frame: the truth is the portrait itself, and the driver rests, too.
        np.testing.assert_array_equal(case.truth[0], case.portrait)
        np.testing.assert_allclose(
            case.truth_motion.landmarks[0], case.portrait_landmarks.normalised, atol=1e-6
        )


def test_clips_hold_the_very_drawings(suite: Suite) -> None:
    from followyouremoji.benchmark.drawn.identities import portrait_identity
    from followyouremoji.portraits import draw_portrait

    truth = suite.manifest.pairs[-1].truth
    moments = MOTIONS[motion_of(360)].performances(TINY.seed, motion_of(360))
    with ClipReader(suite.folder / truth.clip.path) as reader:
        pictures = [picture for _, picture in reader]
    assert len(pictures) == truth.frames == 4
    assert moments[0] == Performance.neutral()
    for picture, moment in zip(pictures, moments[:4], strict=True):
        np.testing.assert_array_equal(
            picture, draw_portrait(portrait_identity(TINY.seed, 360), moment, 64).picture
        )


def test_a_larger_slice_by_processes_has_the_same_files(suite: Suite, tmp_path: Path) -> None:
    larger = replace(TINY, name="larger", portraits=(3, 4, 360))
    with Processes(2) as executor:
        draw_suite(tmp_path / "suite", larger, executor)
    there, again = contents(suite.folder), contents(tmp_path / "suite")
    del there[MANIFEST]
    assert there.items() < again.items()


def test_stopped_at_any_item_it_goes_on_to_the_same_bytes(suite: Suite, tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    for drawn_before in range(len(TINY.items)):
        left = iter(range(drawn_before))
        with pytest.raises(StopIteration):
            draw_suite(folder, TINY, Local(), lambda left=left: next(left))
        assert not (folder / MANIFEST).exists()
    drawn = {path: path.stat().st_mtime_ns for path in folder.rglob("*.mkv")}
    lost = folder / suite.manifest.pairs[-1].truth.clip.path
    lost.unlink()
    done = []
    draw_suite(folder, TINY, Local(), lambda: done.append(1))
    assert len(done) == len(TINY.items)
    assert contents(folder) == contents(suite.folder)
    assert [path for path, time in drawn.items() if path.stat().st_mtime_ns != time] == [lost]


def test_drawings_of_another_seed_and_foreign_files_are_not_taken(suite: Suite, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="another version"):
        draw_suite(suite.folder, replace(TINY, seed=1), Local())
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "smile.mkv").write_bytes(b"mine")
    with pytest.raises(DataError, match="new folder"):
        draw_suite(tmp_path, TINY, Local())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cannot be drawn"):
        draw_suite(tmp_path / "file", TINY, Local())


def test_an_other_seed_draws_other_people(suite: Suite, tmp_path: Path) -> None:
    other = draw_suite(tmp_path / "suite", replace(TINY, seed=1, portraits=(3,)), Local())
    there = {file.path: file.sha256 for file in suite.manifest.files()}
    assert all(there[file.path] != file.sha256 for file in other.manifest.files())


def test_the_suite_is_as_the_papers_have_it() -> None:
    assert (FULL.size, FULL.frames, FULL.truth_frames) == (256, 150, 64)
