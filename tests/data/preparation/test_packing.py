"""How clips are dealt out to shards, and how packing goes on after a power loss."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.data.preparation.discovery import Unit
from followyouremoji.data.preparation.packing import planned, read_plan
from followyouremoji.data.preparation.records import ClipEntry, UnitRecord, Workspace
from followyouremoji.data.preparation.run import prepare_clips
from followyouremoji.data.preparation.settings import PrepareSettings
from followyouremoji.data.stored_clip import encode_picture, write_clip
from followyouremoji.errors import DataError
from followyouremoji.executors import Local, Outcome
from tests.data.samples import SIZE, face_points


def record(name: str, sizes: list[int]) -> UnitRecord:
    clips = tuple(ClipEntry(f"{name}-{k}", 10, 0.4, 0, size) for k, size in enumerate(sizes))
    return UnitRecord(name, f"{name}.mp4", (1, 1), clips=clips)


many_sizes = st.lists(st.lists(st.integers(1, 3_000_000), max_size=6), max_size=8)


@given(many_sizes, st.floats(0.5, 6.0))
@settings(deadline=None)
def test_every_clip_is_in_one_shard_in_order_and_only_the_last_shard_is_small(
    sizes: list[list[int]], megabytes: float
) -> None:
    records = [record(f"u{k}", clips) for k, clips in enumerate(sizes)]
    by_name = {one.name: one for one in records}
    shards = planned(records, megabytes, [])
    keys = [
        clip.key
        for shard in shards
        for run in shard.runs
        for clip in by_name[run.unit].clips[run.first : run.after]
    ]
    assert keys == [clip.key for one in records for clip in one.clips]
    assert sum(shard.clips for shard in shards) == len(keys)
    for shard in shards[:-1]:
        clips = [c for run in shard.runs for c in by_name[run.unit].clips[run.first : run.after]]
        assert sum(clip.length for clip in clips) >= megabytes * 1e6 > sum(clip.length for clip in clips[:-1])


def test_later_clips_go_to_further_shards_and_the_plan_of_before_stays() -> None:
    first = [record("b", [600_000, 700_000, 100_000])]
    before = planned(first, 1.0, [])
    assert [shard.name for shard in before] == ["shard-000000.tar", "shard-000001.tar"]
    after = planned([record("a", [200_000]), *first], 1.0, before)
    assert after[:2] == before
    assert list(after[2].runs) == [("a", 0, 1)]
    assert planned([record("a", [200_000]), *first], 1.0, after) == after


SETTINGS = PrepareSettings(size=SIZE, shard_megabytes=0.01)
FRAMES = 4  # of a clip, which fills a shard of these settings


def finish(unit: Unit, out: Path) -> None:
    """Do a unit's work as `prepare_unit` does, with a grey clip instead of a found face."""
    workspace = Workspace(out)
    with workspace.part_path(unit.name).open("wb") as file:
        archive = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (its end is not wanted)
        picture = encode_picture(np.full((SIZE, SIZE, 3), 90, np.uint8), 95)
        facts = {"size": SIZE, "source": unit.source}
        write_clip(archive, f"{unit.name}-0000", [picture] * FRAMES, face_points(FRAMES), facts)
        clip = ClipEntry(f"{unit.name}-0000", FRAMES, 0.04 * FRAMES, 0, archive.offset)
    workspace.save(
        UnitRecord(unit.name, unit.source, unit.stamp, frames=FRAMES, seconds=0.04 * FRAMES, clips=(clip,))
    )


@pytest.mark.parametrize("lost", ["half of it", "all of it"])
def test_a_part_lost_with_the_power_is_made_again_as_the_message_says(tmp_path: Path, lost: str) -> None:
    source, out, undisturbed = tmp_path / "clips", tmp_path / "out", tmp_path / "undisturbed"
    source.mkdir()
    for name in "abc":
        (source / f"{name}.mp4").write_bytes(name.encode())
    asked: list[str] = []

    class Finishing(Local):
        def map(self, function, items, resource=None):
            for unit in items:
                asked.append(unit.source)
                finish(unit, function.keywords["out"])
                yield Outcome(unit)

    class FinishingBeforeThePowerFails(Finishing):
        def map(self, function, items, resource=None):
            yield from super().map(function, items)
            part = Workspace(out).part_path(items[1].name)
            if lost == "all of it":
                part.unlink()
            else:
                part.write_bytes(part.read_bytes()[:2000])

    shards = [shard.name for shard in prepare_clips(source, undisturbed, SETTINGS, Finishing()).shards]
    assert len(shards) == 3
    with pytest.raises(DataError, match="give the same command again") as told:
        prepare_clips(source, out, SETTINGS, FinishingBeforeThePowerFails())
    assert [path.name for path in sorted(out.glob("*.tar"))] == shards[:1]
    (named,) = (word for word in str(told.value).split() if word.startswith(str(out / "units")))
    Path(named).unlink()

    asked.clear()
    prepare_clips(source, out, SETTINGS, Finishing())
    assert asked == ["b.mp4"]
    for name in shards:
        assert (out / name).read_bytes() == (undisturbed / name).read_bytes()
    assert list((out / "parts").iterdir()) == []


def test_a_planned_clip_whose_source_gives_fewer_now_is_told(tmp_path: Path) -> None:
    from followyouremoji.data.preparation.packing import pack

    workspace = Workspace(tmp_path)
    workspace.make()
    unit = Unit("a", "a.mp4", tmp_path / "a.mp4", (1, 1))
    finish(unit, tmp_path)
    (found,) = workspace.records()
    two = UnitRecord(unit.name, unit.source, unit.stamp, clips=found.clips * 2)
    workspace.part_path("a").rename(tmp_path / "hidden")
    with pytest.raises(DataError, match="is missing"):
        pack(workspace, [two], 0.01)
    (tmp_path / "hidden").rename(workspace.part_path("a"))
    with pytest.raises(DataError, match=r"a\.tar does not hold what .*shards\.json says"):
        pack(workspace, [found], 0.01)


@pytest.mark.parametrize(
    ("name", "unit"), [("../a.tar", "a"), ("/tmp/a.tar", "a"), ("shard-000000.tar", "../../a"), (".", "a")]
)
def test_a_plan_leads_nowhere_but_into_its_folder(tmp_path: Path, name: str, unit: str) -> None:
    """Shards are written, and parts removed, under the names in a plan."""
    shard = {"name": name, "clips": 1, "frames": 4, "runs": [[unit, 0, 1]]}
    plan = {"format": "followyouremoji-shards", "version": 1, "shards": [shard]}
    (tmp_path / "shards.json").write_text(json.dumps(plan))
    with pytest.raises(DataError, match=r"shards\.json is damaged"):
        read_plan(tmp_path)


def test_a_record_is_of_the_unit_whose_name_it_bears(tmp_path: Path) -> None:
    """A failure's record is removed by its name, so that it is tried again."""
    workspace = Workspace(tmp_path / "out")
    workspace.make()
    whole = UnitRecord("a", "a.mp4", (1, 1), failure="it cannot be read")
    workspace.save(whole)
    assert workspace.records() == [whole]
    text = workspace.record_path("a").read_text()
    for before, after in (
        ('"name": "a"', '"name": "../../a"'),
        ('"clips": []', '"clips": [{"key": "a", "frames": 1, "seconds": 1, "offset": -1, "length": 1}]'),
        ('"seconds": 0.0', '"seconds": 1e999'),
        ('"histograms": {}', '"histograms": {"yaw": {"all": [1]}}'),
        (text, "[" * 100_000),
    ):
        assert before in text
        workspace.record_path("a").write_text(text.replace(before, after))
        assert workspace.records() == []
