"""Readers of training data: `followyouremoji.data`."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from followyouremoji.data.shards import Shards
from followyouremoji.data.stored_clip import encode_picture, read_facts, read_points, write_clip
from followyouremoji.face.keyframes import expression_motion

from .motion import written
from .reader import Reader

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


def use_shard(content: bytes) -> None:
    """Open a folder of one shard, and read every clip."""
    folder = Path(tempfile.gettempdir()) / "shards"
    folder.mkdir(exist_ok=True)
    (folder / "shard.index.npz").unlink(missing_ok=True)
    (folder / "shard.tar").write_bytes(content)
    opened = Shards(folder)
    for number in range(len(opened)):
        opened.stored(number)


READERS = (
    Reader("data/shard", shards, use_shard),
    Reader("data/points", lambda: members(".npz"), lambda content: read_points(content, FRAMES, "KEY.npz")),
    Reader("data/facts", lambda: members(".json"), lambda content: read_facts(content, "KEY.json")),
)
