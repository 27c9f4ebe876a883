"""From the parts of single clips to shards of even size.

Which training clip goes into which shard is decided once, when all units are done, and written down; then shard after
shard is written and moved into place, and parts that are wholly packed are removed. A run that is killed goes on with
the same plan. Clips that are added to the sources later are packed into further shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from followyouremoji.config import parse, validated
from followyouremoji.data.preparation.records import UnitRecord, Workspace
from followyouremoji.data.shard_index import shard_index
from followyouremoji.data.shards import MOST_PLAN, PLAN, SHARD_NAME
from followyouremoji.data.stored_clip import BLOCK
from followyouremoji.errors import DataError
from followyouremoji.files import atomic, write_json
from followyouremoji.reading import read_bytes

UNIT_NAME = r"^[A-Za-z0-9-]+$"
RECORD = 20 * BLOCK
"""Bytes: tar files end on a multiple of this."""


class Run(NamedTuple):
    """Successive training clips of a unit: `first` to before `after`."""

    unit: Annotated[str, Field(pattern=UNIT_NAME)]
    first: NonNegativeInt
    after: PositiveInt


@dataclass(frozen=True)
class PlannedShard:
    """A shard and what is in it, in order."""

    name: Annotated[str, Field(pattern=f"^{SHARD_NAME}$")]
    clips: PositiveInt
    frames: PositiveInt
    runs: tuple[Run, ...]


@validated
class _Plan:
    """What the file of a plan holds."""

    format: Literal["followyouremoji-shards"] = "followyouremoji-shards"
    version: Literal[1] = 1
    shards: tuple[PlannedShard, ...]


def planned(
    records: Sequence[UnitRecord], megabytes: float, before: Sequence[PlannedShard]
) -> list[PlannedShard]:
    """The shards of a preparation: those planned `before`, and new ones with the clips of all other units, in the order
    of the records.

    A shard is full with the clip that brings it to `megabytes`.
    """
    packed = {run.unit for shard in before for run in shard.runs}
    shards = list(before)
    clips = [
        (record.name, number, clip)
        for record in records
        if record.name not in packed
        for number, clip in enumerate(record.clips)
    ]
    while clips:
        sizes = np.cumsum([clip.length for _, _, clip in clips])
        count = int(np.searchsorted(sizes, megabytes * 1e6)) + 1
        full, clips = clips[:count], clips[count:]
        runs = []
        for unit, group in groupby(full, key=itemgetter(0)):
            numbers = [number for _, number, _ in group]
            runs.append(Run(unit, numbers[0], numbers[-1] + 1))
        frames = sum(clip.frames for _, _, clip in full)
        shards.append(PlannedShard(f"shard-{len(shards):06d}.tar", len(full), frames, tuple(runs)))
    return shards


def read_plan(out: Path) -> list[PlannedShard]:
    """The plan of an earlier run; empty if there is none.

    Raises DataError if it is damaged.
    """
    path = out / PLAN
    if not path.is_file():
        return []
    damaged = DataError(f"{path} is damaged. Prepare into a new folder.")
    try:
        return list(parse(_Plan, read_bytes(path, MOST_PLAN), path, lambda words: damaged).shards)
    except (OSError, ValueError) as reason:
        raise damaged from reason


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
        write_json(workspace.out / PLAN, asdict(_Plan(shards=tuple(shards))))
    by_name = {record.name: record for record in records}
    last_shard = {run.unit: shard.name for shard in shards for run in shard.runs}
    for shard in shards:
        path = workspace.out / shard.name
        if not path.is_file():
            _write_shard(path, shard, workspace, by_name)
            shard_index(path)
        for run in shard.runs:
            if last_shard[run.unit] == shard.name:
                workspace.part_path(run.unit).unlink(missing_ok=True)
    return shards


def _write_shard(
    path: Path, shard: PlannedShard, workspace: Workspace, records: dict[str, UnitRecord]
) -> None:
    with atomic(path) as temporary, temporary.open("wb") as file:
        for run in shard.runs:
            _copy(run, workspace, records, file)
        end = file.tell() + 2 * BLOCK
        file.write(bytes(2 * BLOCK + -end % RECORD))


def _copy(run: Run, workspace: Workspace, records: dict[str, UnitRecord], file: BinaryIO) -> None:
    """Append the members of successive clips, which lie together in their part."""
    part, record = workspace.part_path(run.unit), records.get(run.unit)
    if record is None or len(record.clips) < run.after:
        raise DataError(
            f"{part} does not hold what {workspace.out / PLAN} says: its source was removed or changed before it was packed. Put the "
            "source back, or prepare into a new folder."
        )
    # Without its record a clip is prepared again, alone and with the same result; the plan stays.
    again = f"Remove {workspace.record_path(run.unit)} and give the same command again."
    if not part.is_file():
        raise DataError(f"{part} is missing: it was removed before it was packed. {again}")
    for clip in record.clips[run.first : run.after]:
        if clip.offset + clip.length > part.stat().st_size:
            raise DataError(f"{part} is cut short. {again}")
        with part.open("rb") as members:
            members.seek(clip.offset)
            file.write(members.read(clip.length))
