"""From the parts of single clips to shards of even size.

Which training clip goes into which shard is decided once, when all units are done, and written down; then shard after
shard is written and moved into place, and parts that are wholly packed are removed. A run that is killed goes on with
the same plan. Clips that are added to the sources later are packed into further shards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from followyouremoji.data.preparation.records import UnitRecord, Workspace
from followyouremoji.data.shard_index import shard_index
from followyouremoji.data.shards import PLAN
from followyouremoji.data.stored_clip import BLOCK
from followyouremoji.errors import DataError
from followyouremoji.files import atomic, write_json

FORMAT = "followyouremoji-shards"
RECORD = 20 * BLOCK
"""Bytes: tar files end on a multiple of this."""


@dataclass(frozen=True)
class ClipSpan:
    """Successive training clips of a unit: `first` to before `after`."""

    unit: str
    first: int
    after: int


@dataclass(frozen=True)
class PlannedShard:
    """A shard and what is in it, in order."""

    name: str
    clips: int
    frames: int
    spans: Sequence[ClipSpan]


def planned(
    records: Sequence[UnitRecord], megabytes: float, before: Sequence[PlannedShard]
) -> list[PlannedShard]:
    """The shards of a preparation: those planned `before`, and new ones with the clips of all other units, in the order
    of the records.

    A shard is full with the clip that brings it to `megabytes`.
    """
    packed = {span.unit for shard in before for span in shard.spans}
    shards = list(before)
    spans: list[ClipSpan] = []
    size = clips = frames = 0

    def close() -> None:
        nonlocal spans, size, clips, frames
        if spans:
            shards.append(PlannedShard(f"shard-{len(shards):06d}.tar", clips, frames, tuple(spans)))
        spans, size, clips, frames = [], 0, 0, 0

    for record in records:
        if record.name in packed:
            continue
        for number, clip in enumerate(record.clips):
            if spans and spans[-1].unit == record.name:
                spans[-1] = ClipSpan(record.name, spans[-1].first, number + 1)
            else:
                spans.append(ClipSpan(record.name, number, number + 1))
            size, clips, frames = size + clip.length, clips + 1, frames + clip.frames
            if size >= megabytes * 1e6:
                close()
    close()
    return shards


def read_plan(out: Path) -> list[PlannedShard]:
    """The plan of an earlier run; empty if there is none.

    Raises DataError if it is damaged.
    """
    path = out / PLAN
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [
            PlannedShard(
                shard["name"],
                shard["clips"],
                shard["frames"],
                tuple(ClipSpan(*span) for span in shard["runs"]),
            )
            for shard in content["shards"]
        ]
    except (ValueError, KeyError, TypeError) as reason:
        raise DataError(f"{path} is damaged. Prepare into a new folder.") from reason


def write_plan(out: Path, shards: Sequence[PlannedShard]) -> None:
    entries = [
        {
            "name": shard.name,
            "clips": shard.clips,
            "frames": shard.frames,
            "runs": [[span.unit, span.first, span.after] for span in shard.spans],
        }
        for shard in shards
    ]
    write_json(out / PLAN, {"format": FORMAT, "version": 1, "shards": entries})


def pack(workspace: Workspace, records: Sequence[UnitRecord], megabytes: float) -> list[PlannedShard]:
    """Write every shard that is not there yet, with its index.

    Raises
    ------
    DataError : a part was removed by someone.
    OSError : a shard cannot be written; those written before stay.
    """
    before = read_plan(workspace.out)
    shards = planned(records, megabytes, before)
    if shards != before or not (workspace.out / PLAN).is_file():
        write_plan(workspace.out, shards)
    by_name = {record.name: record for record in records}
    last_shard = {span.unit: shard.name for shard in shards for span in shard.spans}
    for shard in shards:
        path = workspace.out / shard.name
        if not path.is_file():
            _write_shard(path, shard, workspace, by_name)
            shard_index(path)
        for span in shard.spans:
            if last_shard[span.unit] == shard.name:
                workspace.part_path(span.unit).unlink(missing_ok=True)
    return shards


def _write_shard(
    path: Path, shard: PlannedShard, workspace: Workspace, records: dict[str, UnitRecord]
) -> None:
    with atomic(path) as temporary, temporary.open("wb") as file:
        for span in shard.spans:
            _copy(span, workspace, records, file)
        end = file.tell() + 2 * BLOCK
        file.write(bytes(2 * BLOCK + -end % RECORD))


def _copy(span: ClipSpan, workspace: Workspace, records: dict[str, UnitRecord], file: BinaryIO) -> None:
    """Append the members of successive clips, which lie together in their part."""
    part, record = workspace.part_path(span.unit), records.get(span.unit)
    if record is None or len(record.clips) < span.after:
        raise DataError(
            f"{part} does not hold what {workspace.out / PLAN} says: its source was removed or changed before it was packed. Put the "
            "source back, or prepare into a new folder."
        )
    # Without its record a clip is prepared again, alone and with the same result; the plan stays.
    again = f"Remove {workspace.record_path(span.unit)} and give the same command again."
    if not part.is_file():
        raise DataError(f"{part} is missing: it was removed before it was packed. {again}")
    for clip in record.clips[span.first : span.after]:
        with part.open("rb") as members:
            members.seek(clip.offset)
            content = members.read(clip.length)
        if len(content) < clip.length:
            raise DataError(f"{part} is cut short. {again}")
        file.write(content)
