"""A whole preparation: find the clips, work on those that are not done, pack the results, report.

Whatever moment a run is killed at, the same command goes on from there and ends with the same shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from followyouremoji.data.preparation.discovery import Unit, find_units
from followyouremoji.data.preparation.extraction import prepare_unit
from followyouremoji.data.preparation.packing import PlannedShard, pack, read_plan
from followyouremoji.data.preparation.records import UnitRecord, Workspace, failed
from followyouremoji.data.preparation.settings import PrepareSettings
from followyouremoji.errors import DataError, SettingsError, some_of
from followyouremoji.executors import Executor, WorkerLost
from followyouremoji.files import lock, write_json
from followyouremoji.reading import read_json

SETTINGS_FORMAT = "followyouremoji-preparation"


@dataclass(frozen=True)
class PreparedClips:
    """What a preparation made.

    Attributes
    ----------
    records : of every clip that was ever worked on in the folder
    shards : in order
    changed : sources that were changed after they were packed; their clips are those of before
    """

    out: Path
    records: Sequence[UnitRecord]
    shards: Sequence[PlannedShard]
    changed: Sequence[str]

    @property
    def failures(self) -> list[UnitRecord]:
        return [record for record in self.records if record.failure is not None]

    @property
    def clips(self) -> int:
        return sum(shard.clips for shard in self.shards)

    @property
    def frames(self) -> int:
        return sum(shard.frames for shard in self.shards)


def prepare_clips(
    source: Path,
    out: Path,
    settings: PrepareSettings,
    executor: Executor,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> PreparedClips:
    """Prepare all clips below `source` into shards in `out`; goes on with what is there of an earlier run.

    Parameters
    ----------
    executor : works on the clips; processes, that damaged ones end themselves alone
    progress : called with how many clips are done, and of how many

    Raises
    ------
    DataError : no clip is found, `out` cannot be used, holds other things or the result of other settings, another run
        is working in it, or its disc is full. What is done by then stays.
    """
    # Workers need not run in this process's folder: Ray's run where Ray was started.
    source, out = Path(source).absolute(), Path(out).absolute()
    if source.resolve() == out.resolve():
        raise DataError(f"The output folder must be another than {source}, where the clips are.")
    _check_out(out, settings)
    units = find_units(source, leave_out=out)
    workspace = Workspace(out)
    with _only_run(workspace):
        try:
            if not workspace.settings.is_file():
                write_json(workspace.settings, _described(settings))
            packed = {run.unit for shard in read_plan(out) for run in shard.runs}
            waiting, changed = _unfinished(units, workspace, packed)
            done = len(units) - len(waiting)
            progress(done, len(units))
            with closing(
                executor.map(partial(prepare_unit, out=out, settings=settings), waiting)
            ) as outcomes:
                for outcome in outcomes:
                    try:
                        outcome.result()
                    except WorkerLost as lost:
                        workspace.save(failed(outcome.item, str(lost)))
                    done += 1
                    progress(done, len(units))
            records = workspace.records()
            shards = pack(workspace, records, settings.shard_megabytes)
        except OSError as reason:
            workspace.clear()  # of what the other workers were writing
            raise DataError(
                f"Cannot write to {out}: {reason.strerror or reason}. What is done stays: make room, and give the same command again."
            ) from reason
    return PreparedClips(out, records, shards, changed)


def _described(settings: PrepareSettings) -> dict[str, Any]:
    return {"format": SETTINGS_FORMAT, "version": 1, **settings.as_dict()}


def _check_out(out: Path, settings: PrepareSettings) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; name a folder for the shards.")
    path = Workspace(out).settings
    if not path.is_file():
        if out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir()):
            raise DataError(f"{out} holds other files; name a new folder for the shards.")
        return
    try:
        before = read_json(path)
    except (OSError, ValueError):
        before = {}
    if before.get("format") != SETTINGS_FORMAT:
        raise DataError(f"{path} is not one that `fye data prepare` wrote; name a new folder for the shards.")
    old, new = _flat(before), _flat(_described(settings))
    differences = [
        f"{name} was {old.get(name)}, is now {new.get(name)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if differences:
        raise SettingsError(
            f"{out} was begun with other settings ({some_of(differences)}). Give the same ones to go on, or name a new folder."
        )


def _flat(settings: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Nested settings as one dictionary, with names such as ``filters.yaw``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{within}{name}.") if isinstance(value, dict) else {f"{within}{name}": value}
    return flat


def _unfinished(
    units: Sequence[Unit], workspace: Workspace, packed: set[str]
) -> tuple[list[Unit], list[str]]:
    """Units to work on, and the sources of those that have changed but are packed already. Failures are forgotten:
    those whose files are still there are tried again."""
    for past in workspace.records():
        if past.failure is not None:
            workspace.record_path(past.name).unlink(missing_ok=True)
    waiting, changed = [], []
    for unit in units:
        record = workspace.load(unit.name)
        same = record is not None and record.stamp == unit.stamp
        if record is not None and not same and unit.name in packed:
            changed.append(unit.source)
        elif not same:
            waiting.append(unit)
    return waiting, changed


@contextmanager
def _only_run(workspace: Workspace) -> Iterator[None]:
    """Keep a second run out of the folder; ends with the process, however that ends."""
    out = workspace.out
    try:
        out.mkdir(parents=True, exist_ok=True)
        held = lock(out / ".lock")
        if held is None:
            raise DataError(f"Another preparation is working in {out}. Wait for its end, or end it.")
        workspace.make()
    except OSError as reason:
        raise DataError(
            f"The folder {out} cannot be written to: {reason.strerror or reason}. Name another."
        ) from reason
    try:
        yield
    finally:
        held.release()
