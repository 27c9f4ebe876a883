"""A suite is read, and every mistake in its folder is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("skia", reason="portraits are drawn, which needs skia")

from followyouremoji.benchmark.checking import check, extra_files
from followyouremoji.benchmark.lossless import write_lossless
from followyouremoji.benchmark.named import DRAWN, drawn_suite, earlier_drawings, find_suite
from followyouremoji.benchmark.protocol import Protocol
from followyouremoji.benchmark.suite import Manifest, Suite, SuiteFile
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Local, Processes
from followyouremoji.face.motion import Motion
from followyouremoji.files import checksum
from followyouremoji.media.clips import ClipReader
from tests.benchmark.suites import small_suite, write_picture


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_suite(tmp_path_factory.mktemp("whole")).suite.folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / "suite")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def accept(folder: Path, *paths: str) -> None:
    """Have the manifest state the checksums of changed files."""
    text = (folder / "manifest.json").read_text()
    for file in Suite.read(folder).manifest.files():
        if file.path in paths:
            text = text.replace(file.sha256, checksum(folder / file.path))
    (folder / "manifest.json").write_text(text)


def test_a_whole_suite_has_no_problem(whole: Path) -> None:
    assert check(whole) == []
    assert extra_files(Suite.read(whole)) == []


@pytest.mark.slow
def test_processes_find_the_same_problems(folder: Path) -> None:
    (folder / "portraits" / "b.png").unlink()
    with Processes(2) as executor:
        assert check(folder, executor) == check(folder)


def test_a_case_is_read_at_the_size_and_length_of_the_protocol(whole: Path) -> None:
    own, cross, other = Suite.read(whole).cases(Protocol(size=64, frames=4))
    assert (own.mode, own.style, own.expression, own.frames) == ("self", "person", "smile", 4)
    assert own.driving.shape == (4, 64, 64, 3)
    assert np.array_equal(own.portrait, own.driving[0])
    assert own.truth is own.driving
    assert own.truth_motion is own.motion
    assert (cross.mode, cross.style, other.style) == ("cross", "cartoon", "people")
    assert cross.portrait.shape == (64, 64, 3)
    assert cross.portrait_landmarks.points.shape == (478, 2)
    assert cross.truth is None
    assert cross.truth_motion is None
    assert [case.name for case in Suite.read(whole).cases(Protocol(), ["first"])] == ["first"]


def test_every_missing_changed_and_extra_file_is_named(folder: Path) -> None:
    (folder / "portraits" / "b.png").unlink()
    (folder / "portraits" / "Zoe-1.fyemotion").write_bytes(b"another")
    (folder / "clips" / "first.mkv").unlink()
    (folder / "clips" / "first.mkv").mkdir()
    (folder / "clips" / "notes.txt").touch()
    assert check(folder) == [
        "portrait b: portraits/b.png is missing",
        "portrait Zoe-1: portraits/Zoe-1.fyemotion has changed: its checksum is another",
        "clip first: clips/first.mkv is missing",
    ]
    assert extra_files(Suite.read(folder)) == ["clips/notes.txt"]


@pytest.mark.parametrize(
    "path", ["../b.png", "/etc/hostname", "portraits/../../b.png", "C:b.png", "portraits\\b.png", ".", "a\0b"]
)
def test_a_path_that_leads_out_of_the_folder(folder: Path, path: str) -> None:
    edit(folder, lambda manifest: manifest["portraits"][0]["picture"].update(path=path))
    with pytest.raises(DataError, match="no path inside its folder"):
        Suite.read(folder)
    (problem,) = check(folder)
    assert "no path inside its folder" in problem


def test_a_link_that_leads_out_of_the_folder_or_nowhere(folder: Path) -> None:
    outside = folder.parent / "outside.png"
    (folder / "portraits" / "b.png").rename(outside)
    (folder / "portraits" / "b.png").symlink_to(outside)
    (folder / "clips" / "first.mkv").unlink()
    (folder / "clips" / "first.mkv").symlink_to("first.mkv")
    with pytest.raises(DataError, match="leads out of its folder"):
        Suite.read(folder)
    first, second = check(folder)
    assert "'portraits/b.png' leads out of its folder" in first
    assert "clips/first.mkv" in second


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["portraits"][1].update(name="b"), "two portraits are called b"),
        (lambda m: m["portraits"][1].update(name="B"), "two portraits are called"),
        (lambda m: m["pairs"][0].update(name="b--first"), "two pairs are called b--first"),
        (lambda m: m["pairs"][0].update(clip="talk"), "names a clip talk that is not in the suite"),
        (lambda m: m["pairs"][1].update(portrait="x"), "names a portrait x that is not in the suite"),
        (lambda m: m.update(version=2), "`version` must be 1, not 2"),
        (lambda m: m.update(format="EmojiBench"), "`format` must be 'EmojiBench++'"),
        (lambda m: m["clips"][0].update(name="../x"), "clips[0].name"),
        (lambda m: m["clips"][0]["footage"].update(frames=0), "frames"),
        (lambda m: m["clips"][0]["footage"]["clip"].update(sha256="x"), "sha256"),
        (lambda m: m.pop("size"), "the entry `size` is missing"),
    ],
)
def test_a_manifest_that_cannot_be_used(
    folder: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    edit(folder, change)
    with pytest.raises(DataError) as failure:
        Suite.read(folder)
    assert words in str(failure.value)
    assert check(folder) == [str(failure.value)]


def test_no_manifest_and_no_json(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(DataError, match="no JSON text"):
        Suite.read(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"is no suite: its manifest\.json cannot be read"):
        Suite.read(folder)


def test_files_that_are_not_what_the_manifest_says(folder: Path) -> None:
    """All checksums fit: what is wrong is seen only by reading."""
    write_picture(folder / "portraits" / "b.png", np.zeros((64, 80, 3), np.uint8))
    motion = folder / "portraits" / "Zoe-1.fyemotion"
    landmarks = Motion.load(motion)
    replace(landmarks, landmarks=landmarks.landmarks + np.float32(2.0)).save(motion, overwrite=True)
    clip = folder / "clips" / "first.mkv"
    with ClipReader(clip) as reader:
        frames = np.stack([frame for _, frame in reader])
    write_lossless(clip, frames[:4, :100], 30.0)
    moves = folder / "clips" / "first.fyemotion"
    Motion.load(moves)[:3].save(moves, overwrite=True)
    accept(
        folder,
        *("portraits/b.png", "portraits/Zoe-1.fyemotion", "clips/first.mkv", "clips/first.fyemotion"),
    )
    assert check(folder) == [
        "portrait b: portraits/b.png has 80x64 pixels; the manifest says 128x128",
        "portrait Zoe-1: portraits/Zoe-1.fyemotion has its face outside the square, in 1 of 1 frames",
        "clip first: clips/first.mkv has 128x100 pixels; the manifest says 128x128",
        "clip first: clips/first.mkv has 4 frames; the manifest says 5",
        "clip first: clips/first.fyemotion has 3 frames; 5 are needed",
        "clip first: clips/first.mkv has 30 frames a second; the manifest says 25",
    ]
    with pytest.raises(DataError, match="has 4 frames; the manifest says 5"):
        _ = Suite.read(folder).cases(Protocol())[0].driving


def test_files_that_cannot_be_read_though_their_checksums_fit(folder: Path) -> None:
    broken = ["portraits/b.png", "portraits/Zoe-1.fyemotion", "clips/first.mkv"]
    for path in broken:
        (folder / path).write_bytes(b"nothing" * 100)
    accept(folder, *broken)
    problems = check(folder)
    assert [problem.partition(":")[0] for problem in problems] == [
        "portrait b",
        "portrait Zoe-1",
        "clip first",
    ]


def test_a_truth_is_no_longer_than_its_clip_and_its_gaze_as_long(folder: Path) -> None:
    np.save(folder / "gaze.npy", np.zeros((4, 2, 2), np.float32))

    def change(manifest: dict[str, Any]) -> None:
        footage = manifest["clips"][0]["footage"]
        gaze = {"path": "gaze.npy", "sha256": checksum(folder / "gaze.npy")}
        manifest["pairs"][1]["truth"] = {**footage, "gaze": gaze}
        manifest["pairs"][2]["truth"] = {**footage, "frames": 6}

    edit(folder, change)
    assert check(folder) == [
        "truth of Zoe-1--first: it has 6 frames; its clip has only 5",
        "truth of b--first: gaze.npy must be 5 frames of 2x2 angles; it is (4, 2, 2) of float32",
        "truth of Zoe-1--first: clips/first.mkv has 5 frames; the manifest says 6",
        "truth of Zoe-1--first: clips/first.fyemotion has 5 frames; 6 are needed",
    ]


def test_a_truth_of_the_first_frames_bounds_the_case(folder: Path) -> None:
    files = {name: folder / "truth" / f"t{end}" for name, end in (("clip", ".mkv"), ("motion", ".fyemotion"))}
    (folder / "truth").mkdir()
    with ClipReader(folder / "clips" / "first.mkv") as reader:
        write_lossless(files["clip"], (frame for _, frame in islice(reader, 3)), 25.0)
    Motion.load(folder / "clips" / "first.fyemotion")[:3].save(files["motion"])
    footage = {name: vars(SuiteFile.of(path, folder)) for name, path in files.items()}
    truth = {**footage, "frames": 3, "frame_rate": 25.0}
    edit(folder, lambda manifest: manifest["pairs"][1].update(truth=truth))
    assert check(folder) == []
    own, cross, _ = Suite.read(folder).cases(Protocol())
    assert (own.frames, cross.frames) == (5, 3)
    assert cross.truth is not None
    assert cross.truth_motion is not None
    assert len(cross.truth) == len(cross.truth_motion) == len(cross.motion) == 3
    assert np.array_equal(cross.truth, cross.driving)


def test_an_empty_suite(folder: Path) -> None:
    edit(folder, lambda manifest: manifest.update(portraits=[], clips=[], pairs=[]))
    (problem,) = check(folder)
    assert problem.endswith("names no pair, so that there is nothing to run")


def test_a_manifest_made_in_python_is_checked_too(whole: Path) -> None:
    manifest = Suite.read(whole).manifest
    with pytest.raises(SettingsError, match="two clips are called first"):
        replace(manifest, clips=[*manifest.clips, *manifest.clips])
    assert Manifest(**vars(manifest)) == manifest


def test_suites_by_name(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    drawn = drawn_suite("drawn-mini")
    assert not drawn.is_drawn
    assert earlier_drawings() == []
    shutil.copytree(whole, drawn.folder)
    shutil.copytree(whole, tmp_path / "suites" / "drawn-0123456789ab")
    assert drawn_suite("drawn-mini").is_drawn
    assert {drawn_suite(name).folder.name.rpartition("-")[0] for name in DRAWN} == set(DRAWN)
    assert [path.name for path in earlier_drawings()] == ["drawn-0123456789ab"]
    assert find_suite("drawn-mini", Local()).manifest == Suite.read(whole).manifest  # it is there: not drawn
    assert find_suite(str(whole), Local()).folder == whole
    with pytest.raises(DataError, match="neither a folder nor one of drawn, drawn-mini"):
        find_suite("drwn", Local())
