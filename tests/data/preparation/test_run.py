"""A whole preparation on drawn clips: what comes out, what is reported, and that kills, broken files and full discs
lose nothing."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from followyouremoji.data import Shards
from followyouremoji.data.preparation.discovery import Unit
from followyouremoji.data.preparation.report import write_report
from followyouremoji.data.preparation.run import PreparedClips, prepare_clips
from followyouremoji.data.preparation.selection import Reason
from followyouremoji.data.preparation.settings import Filters, PrepareSettings
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.executors import Local, Processes
from followyouremoji.media.cropping import HEAD_SHIFT
from tests.data.samples import talk, write_talk

pytest.importorskip("skia", reason="the clips are drawn, which needs skia")

SETTINGS = PrepareSettings(size=64, shard_megabytes=0.03, filters=Filters(face_size=60, min_frames=6))
OPTIONS = "--size 64 --shard-megabytes 0.03 --face-size 60 --min-frames 6"
FRAMES = 8


class Around(Local):
    """Works in the tests' own process; a test may do something around each unit, or around them all."""

    def __init__(self, work: Callable[[Callable[[Unit], None], Unit], None]) -> None:
        super().__init__()
        self._work = work

    def map(self, function, items, resource=None):
        return super().map(partial(self._work, function), items)


class Wrapped(Processes):
    """A process that works with a wrapped function."""

    def __init__(self, wrapper: Callable[[Unit, Callable[[Unit], None]], None]) -> None:
        super().__init__(1)
        self._wrapper = wrapper

    def map(self, function, items, resource=None):
        return super().map(partial(self._wrapper, function=function), items)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people after each other; one in numbered pictures; one too short; a file that is no clip; one that was cut
    off."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "studio").mkdir()
    write_talk(folder / "studio" / "two people.mp4", FRAMES, people=(0, 1))
    write_talk(folder / "short.mp4", 4)
    (folder / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 and nothing that follows" * 20)
    whole = (folder / "studio" / "two people.mp4").read_bytes()
    (folder / "cut off.mp4").write_bytes(whole[: len(whole) // 2])
    write_pictures(folder / "vfhq" / "Clip+x+P0")
    return folder


def write_pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index, picture in enumerate(talk(2, 9), 100):
        Image.fromarray(picture).save(folder / f"{index:08d}.png")


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedClips:
    return prepare_clips(source, tmp_path_factory.mktemp("out") / "shards", SETTINGS, Local())


def shard_bytes(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.tar"))}


def leftovers(out: Path) -> list[str]:
    return [path.name for path in out.rglob(".*.part*")] + [path.name for path in (out / "parts").iterdir()]


def test_every_good_scene_becomes_a_clip_of_one_face(prepared: PreparedClips) -> None:
    shards = Shards(prepared.out)
    keys = [shards.facts(number)["key"] for number in range(len(shards))]
    assert len(keys) == prepared.clips == 3
    assert keys[0].startswith("studio-two-people-")
    assert keys[0].endswith("-0000")
    assert keys[1] == keys[0].removesuffix("0") + "1"
    assert keys[2].startswith("vfhq-Clip-x-P0-")
    assert shards.lengths.tolist() == [FRAMES, FRAMES, 9]
    assert len(prepared.shards) > 1  # small shards were asked for
    assert leftovers(prepared.out) == []


def test_clips_show_what_their_source_shows_and_points_lie_on_the_face(
    prepared: PreparedClips, source: Path
) -> None:
    from followyouremoji.media.clips import ClipReader
    from followyouremoji.media.ranges import ClipRange

    shards = Shards(prepared.out)
    clip, facts = shards.stored(1), shards.facts(1)
    assert facts["source"] == "studio/two people.mp4"
    assert facts["source_frames"] == list(range(FRAMES, 2 * FRAMES))
    assert facts["times"] == pytest.approx(np.arange(FRAMES, 2 * FRAMES) / 25, abs=1e-3)
    with ClipReader(source / "studio" / "two people.mp4", ClipRange(FRAMES)) as reader:
        picture = next(iter(reader))[1]
    x, y, side = (facts["crop"][name] for name in ("x", "y", "side"))
    assert min(x, y) >= 0
    assert max(x, y) + side <= 224
    # The middle of the stored frame has the colour of the middle of the crop in the source.
    middle = picture[
        int(y + side / 2) - 6 : int(y + side / 2) + 6, int(x + side / 2) - 6 : int(x + side / 2) + 6
    ]
    stored = clip.pictures[0][30:34, 30:34]
    assert np.abs(middle.mean(axis=(0, 1)) - stored.mean(axis=(0, 1))).max() < 12
    points = clip.points
    assert points.shape == (FRAMES, 478, 3)
    size = np.ptp(points[:, :468, :2], axis=1).max(axis=1)
    assert (size > 64 / 2.6).all()  # margin 2, a little more where the head moves
    assert (size < 64 / 1.25).all()
    centre = points[:, :468, :2].mean(axis=(0, 1))
    assert np.abs(centre - (32, 32 + HEAD_SHIFT * size.mean())).max() < 10


def test_broken_and_cut_off_files_are_listed_and_the_rest_is_done(prepared: PreparedClips) -> None:
    counts = write_report(prepared, SETTINGS)
    failed = {entry["source"]: entry["reason"] for entry in counts["failures"]}
    assert set(failed) == {"broken.mp4"}
    assert "cannot be read as a clip" in failed["broken.mp4"]
    assert [entry["source"] for entry in counts["damaged"]] == ["cut off.mp4"]
    short = 4 + counts["damaged"][0]["frames_read"]
    assert short > 4
    assert counts["sources"] == {
        "found": 5,
        "failed": 1,
        "without_clip": 2,
        "frames": 2 * FRAMES + 9 + short,
        "seconds": pytest.approx((2 * FRAMES + 9 + short) / 25, abs=0.01),
    }
    assert counts["frames_by_filter"] == {Reason.TOO_SHORT: short}
    assert counts["pieces_by_filter"] == {Reason.TOO_SHORT: 2}
    assert counts["kept"]["frames"] == 2 * FRAMES + 9
    for name, histogram in counts["histograms"].items():
        assert sum(histogram["with_a_face"]) == 2 * FRAMES + 9 + short, name
        assert sum(histogram["kept"]) == 2 * FRAMES + 9, name
    report = prepared.out / "report"
    assert json.loads((report / "report.json").read_text())["kept"] == counts["kept"]
    text = (report / "report.md").read_text()
    for word in (
        "`broken.mp4`",
        f"too short | {short} |",
        "`cut off.mp4`",
        "short.mp4",
        "contact_sheet.png",
        "3 clips",
    ):
        assert word in text
    with Image.open(report / "contact_sheet.png") as sheet:
        assert sheet.size == (8 * 144, 3 * (144 + 16))


def test_a_link_to_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "gone.mp4").symlink_to("nowhere.mp4")
    ((source, reason),) = [
        (record.source, str(record.failure))
        for record in prepare_clips(tmp_path / "clips", tmp_path / "out", SETTINGS, Local()).failures
    ]
    assert source == "gone.mp4"
    assert "there is no file" in reason


def test_workers_may_run_in_another_folder(
    prepared: PreparedClips, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's workers run where Ray was started."""
    shutil.copytree(source / "vfhq", tmp_path / "clips" / "vfhq")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def elsewhere(function: Callable[[Unit], None], unit: Unit) -> None:
        with chdir(tmp_path / "elsewhere"):
            function(unit)

    made = prepare_clips(Path("clips"), Path("shards"), SETTINGS, Around(elsewhere))
    names = {record.source: record.name for record in prepared.records}
    assert [(record.name, record.failure) for record in made.records] == [(names["vfhq/Clip+x+P0"], None)]
    assert len(Shards(tmp_path / "shards")) == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_second_run_changes_nothing_and_other_settings_are_refused(
    prepared: PreparedClips, source: Path
) -> None:
    before = shard_bytes(prepared.out)
    asked: list[str] = []

    def watched(function: Callable[[Unit], None], unit: Unit) -> None:
        asked.append(unit.source)
        function(unit)

    again = prepare_clips(source, prepared.out, SETTINGS, Around(watched))
    assert asked == ["broken.mp4"]  # failures are tried again, nothing else
    assert shard_bytes(prepared.out) == before
    assert again.shards == prepared.shards
    other = replace(SETTINGS, filters=replace(SETTINGS.filters, face_size=90))
    with pytest.raises(SettingsError, match=r"face_size was 60.*is now 90"):
        prepare_clips(source, prepared.out, other, Local())


def test_a_killed_run_goes_on_and_gives_the_same_shards(
    prepared: PreparedClips, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = (
        "import sys; from followyouremoji.apps.data import data_app; data_app(sys.argv[1:], prog_name='data')"
    )
    arguments = ["prepare", str(source), str(out), "--processes", "1", *OPTIONS.split()]
    # A session of its own, so that the kill takes the worker along, as a machine that goes down does.
    running = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], start_new_session=True, stderr=subprocess.DEVNULL
    )
    records = out / "units"
    while not (records.is_dir() and any(path.name.startswith("studio") for path in records.glob("*.json"))):
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with suppress(ProcessLookupError):
        while True:  # until the worker is gone too
            os.killpg(running.pid, 0)
            time.sleep(0.02)
    assert shard_bytes(out) == {}
    assert len(list((out / "parts").glob("*.tar"))) >= 1
    (out / "parts" / ".two.0a1b2c3d.part.tar").mkdir()  # what a kill while writing leaves
    prepare_clips(source, out, SETTINGS, Local())
    assert shard_bytes(out) == shard_bytes(prepared.out)
    assert leftovers(out) == []


def test_a_run_killed_while_packing_goes_on_with_its_plan(
    prepared: PreparedClips, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    class StopsBeforePacking(Local):
        def map(self, function, items, resource=None):
            yield from super().map(function, items)
            raise SystemExit("as if killed here")

    with pytest.raises(SystemExit):
        prepare_clips(source, out, SETTINGS, StopsBeforePacking())
    # The first shard is in place, and the part of a unit that is wholly in it is gone.
    for name in ("shards.json", "shard-000000.tar"):
        shutil.copy(prepared.out / name, out / name)
    prepare_clips(source, out, SETTINGS, Local())
    assert shard_bytes(out) == shard_bytes(prepared.out)
    assert leftovers(out) == []


def kill_at(unit: Unit, function: Callable[[Unit], None], victim: str) -> None:
    if victim in unit.source:
        os.kill(os.getpid(), signal.SIGKILL)
    function(unit)


def test_a_clip_that_kills_its_worker_is_listed_and_the_others_are_done(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    with Wrapped(partial(kill_at, victim="vfhq")) as executor:
        result = prepare_clips(source, out, SETTINGS, executor)
    failed = {record.source: record.failure for record in result.failures}
    assert "killed by signal 9, 2 times" in str(failed["vfhq/Clip+x+P0"])
    assert result.clips == 2
    healed = prepare_clips(source, out, SETTINGS, Local())
    assert healed.clips == 3
    assert "vfhq/Clip+x+P0" not in {record.source for record in healed.failures}


def out_of_room(unit: Unit, function: Callable[[Unit], None]) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY))
    function(unit)


def test_no_room_on_the_disc_stops_the_run_and_the_same_command_goes_on(
    prepared: PreparedClips, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    with Wrapped(out_of_room) as executor, pytest.raises(DataError, match="What is done stays: make room"):
        prepare_clips(source, out, SETTINGS, executor)
    assert leftovers(out) == []  # of the worker that was ended while it wrote, too
    prepare_clips(source, out, SETTINGS, Local())
    assert leftovers(out) == []
    assert shard_bytes(out) == shard_bytes(prepared.out)


def test_clips_added_later_go_to_a_further_shard(source: Path, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(source / "vfhq", clips / "vfhq")
    first = prepare_clips(clips, out, SETTINGS, Local())
    before = shard_bytes(out)
    shutil.copytree(source / "studio", clips / "a studio")
    second = prepare_clips(clips, out, SETTINGS, Local())
    assert {name: shard_bytes(out)[name] for name in before} == before
    assert second.shards[: len(first.shards)] == first.shards
    assert second.clips == 3
    assert len(Shards(out)) == 3
    (clips / "a studio" / "two people.mp4").write_bytes(b"other")
    assert prepare_clips(clips, out, SETTINGS, Local()).changed == ["a studio/two people.mp4"]


def test_folders_that_cannot_be_the_output_are_refused(source: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files"):
        prepare_clips(source, taken, SETTINGS, Local())
    assert [path.name for path in taken.iterdir()] == ["thesis.txt"]
    with pytest.raises(DataError, match="is a file"):
        prepare_clips(source, taken / "thesis.txt", SETTINGS, Local())
    with pytest.raises(DataError, match="must be another"):
        prepare_clips(source, source, SETTINGS, Local())
    with pytest.raises(DataError, match="There is no folder"):
        prepare_clips(tmp_path / "nowhere", tmp_path / "new", SETTINGS, Local())
    assert not (tmp_path / "new").exists()


def test_two_runs_do_not_work_in_one_folder(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Meanwhile(Local):
        def map(self, function, items, resource=None):
            with pytest.raises(DataError, match="Another preparation"):
                prepare_clips(source, out, SETTINGS, Local())
            yield from ()

    prepare_clips(source, out, SETTINGS, Meanwhile())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": 100}, "multiple of 8"),
        ({"margin": 1.0}, "`margin`"),
        ({"quality": 0}, "`quality`"),
        ({"filters": {"yaw": -1}}, "`yaw`"),
        ({"filters": {"min_frames": 300}}, "300 frames"),
    ],
)
def test_impossible_settings_are_refused(values: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        PrepareSettings(**{n: Filters(**v) if n == "filters" else v for n, v in values.items()})
