"""Readers of training data: `followyouremoji.data`."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from followyouremoji.arrays import ArraysError, mapped_array, read_array
from followyouremoji.data.preparation.packing import read_plan
from followyouremoji.data.preparation.records import ClipEntry, UnitRecord, Workspace
from followyouremoji.data.preparation.statistics import QUANTITIES, summed
from followyouremoji.data.shard_index import index_path, shard_index
from followyouremoji.data.shards import Shards, shard_paths
from followyouremoji.data.stored_clip import encode_picture, read_facts, read_points, write_clip
from followyouremoji.errors import DataError
from followyouremoji.face.keyframes import expression_motion

from .motion import written
from .reader import Reader, from_file

SIZE, FRAMES, CLIPS = 16, 2, 2


def write_shard(path: Path) -> None:
    points = expression_motion("smile")[:FRAMES].landmarks * np.float32(SIZE)
    picture = encode_picture(np.full((SIZE, SIZE, 3), 128, np.uint8), 90)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(CLIPS):
            facts = {"size": SIZE, "frame_rate": 25.0}
            write_clip(archive, f"clip-{number}", [picture] * FRAMES, points, facts)


def shards() -> Iterable[bytes]:
    yield written(write_shard, "shard.tar")


def members(ending: str) -> Iterable[bytes]:
    """What lies in a shard under names of this ending."""
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder) / "shard.tar")
        with tarfile.open(Path(folder) / "shard.tar") as archive:
            for name in archive.getnames():
                if name.endswith(ending):
                    yield archive.extractfile(name).read()  # type: ignore[union-attr]


def indexes() -> Iterable[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_shard(Path(folder) / "shard.tar")
        shard_index(Path(folder) / "shard.tar")
        yield index_path(Path(folder) / "shard.tar").read_bytes()


def plans() -> Iterable[bytes]:
    run = {"unit": "clip-0", "first": 0, "after": CLIPS}
    shard = {"name": "shard.tar", "clips": CLIPS, "frames": FRAMES, "runs": [list(run.values())]}
    yield json.dumps({"format": "followyouremoji-shards", "version": 1, "shards": [shard]}).encode()


def records() -> Iterable[bytes]:
    counts = {
        name: {part: [1] * (len(quantity.edges) - 1) for part in ("all", "kept")}
        for name, quantity in QUANTITIES.items()
    }
    clip = ClipEntry("unit-0000", FRAMES, 0.04 * FRAMES, 0, 4096)
    yield json.dumps(
        asdict(UnitRecord("unit", "unit.mp4", (10, 10), clips=(clip,), histograms=counts))
    ).encode()
    yield json.dumps(asdict(UnitRecord("unit", "unit.mp4", (10, 10), failure="it cannot be read"))).encode()


def arrays() -> Iterable[bytes]:
    for array in (
        np.zeros((2, 3), np.float32),
        np.asfortranarray(np.zeros((3, 2), ">i8")),
        np.array(["a", "bc"]),
    ):
        file = io.BytesIO()
        np.save(file, array)
        yield file.getvalue()


def use_folder(folder: Path) -> None:
    """Open a folder of shards, and read every clip."""
    opened = Shards(folder)
    for number in range(len(opened)):
        opened.stored(number)


def use_shard(content: bytes) -> None:
    folder = Path(tempfile.gettempdir()) / "shards"
    folder.mkdir(exist_ok=True)
    (folder / "shard.index.npz").unlink(missing_ok=True)
    (folder / "shard.tar").write_bytes(content)
    use_folder(folder)


def beside_a_shard(use: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """A reader of a file of this name in a folder with a whole shard."""

    def read(content: bytes) -> None:
        folder = Path(tempfile.gettempdir()) / name
        if not folder.is_dir():
            folder.mkdir()
            write_shard(folder / "shard.tar")
        (folder / name).write_bytes(content)
        use(folder)

    return read


def use_plan(folder: Path) -> None:
    read_plan(folder)
    shard_paths(folder)


def use_record(path: Path) -> None:
    workspace = Workspace(path.parent)
    workspace.units = path.parent
    found = workspace.load(path.stem)
    summed([] if found is None else [found.histograms])


def use_array(path: Path) -> None:
    """Read an array in both ways, which agree on what is one."""
    try:
        read_array(path)
    except ArraysError as error:
        raise DataError(str(error)) from error
    mapped_array(path)


READERS = (
    Reader("data/shard", shards, use_shard),
    Reader("data/index", indexes, beside_a_shard(use_folder, "shard.index.npz")),
    Reader("data/plan", plans, beside_a_shard(use_plan, "shards.json")),
    Reader("data/points", lambda: members(".npz"), lambda content: read_points(content, FRAMES, "KEY.npz")),
    Reader("data/facts", lambda: members(".json"), lambda content: read_facts(content, "KEY.json")),
    Reader("data/record", records, from_file(use_record, "unit.json")),
    Reader("data/array", arrays, from_file(use_array, "input.npy")),
)
