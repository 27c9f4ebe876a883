"""How clips are dealt out to shards."""

from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.data.preparation.packing import planned
from followyouremoji.data.preparation.records import ClipEntry, UnitRecord


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
    assert [(run.unit, run.first, run.after) for run in after[2].runs] == [("a", 0, 1)]
    assert planned([record("a", [200_000]), *first], 1.0, after) == after
