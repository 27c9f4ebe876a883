"""Where each clip lies in a shard, so that any clip can be read without reading the ones before it.

The index of ``shard-000000.tar`` is ``shard-000000.index.npz`` beside it: read in an instant, and built again from the
tar file whenever it is missing or the tar file is of another size than when it was built.
"""

from __future__ import annotations

import re
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from followyouremoji.data.stored_clip import BLOCK, frame_field
from followyouremoji.errors import DataError
from followyouremoji.files import write_arrays

INDEX_ENDING = ".index.npz"
OTHERS = ("npz", "json")
"""Fields of a clip beside its frames."""
_FRAME = re.compile(r"\d{4,}\.jpg")


@dataclass(frozen=True)
class ShardIndex:
    """Offsets and sizes, in bytes, of the members of all clips of a shard.

    Attributes
    ----------
    bytes : size of the tar file
    keys : ``(clips,)`` text
    first : ``(clips + 1,)`` int64: the frames of clip c are first[c] to first[c + 1] of `frames`
    frames : ``(all frames, 2)`` int64, offset and size
    arrays, facts : ``(clips, 2)`` int64, offset and size of `KEY.npz` and `KEY.json`
    """

    bytes: int
    keys: np.ndarray
    first: np.ndarray
    frames: np.ndarray
    arrays: np.ndarray
    facts: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def lengths(self) -> np.ndarray:
        """``(clips,)`` frames of each clip."""
        return np.diff(self.first)


def shard_index(shard: Path) -> ShardIndex:
    """The index of a shard, from the file beside it or built and saved there.

    Raises
    ------
    DataError : the shard is missing, cut short, or holds other things than whole clips.
    """
    if not shard.is_file():
        raise DataError(f"There is no shard {shard}.")
    size = shard.stat().st_size
    saved = _saved_index(shard, size)
    if saved is not None:
        return saved
    index = _built_index(shard, size)
    # A folder that may only be read is as good, just slower to open.
    with suppress(OSError):
        write_arrays(index_path(shard), vars(index))
    return index


def index_path(shard: Path) -> Path:
    return shard.with_name(shard.name.removesuffix(".tar") + INDEX_ENDING)


def _saved_index(shard: Path, size: int) -> ShardIndex | None:
    try:
        with np.load(index_path(shard), allow_pickle=False) as stored:
            index = ShardIndex(**stored)
    except Exception:  # an index is only a copy: whatever is wrong with it, a new one is made
        return None
    return index if index.bytes == size else None


def _built_index(shard: Path, size: int) -> ShardIndex:
    clips: dict[str, dict[str, tuple[int, int]]] = {}
    for member in _members(shard):
        key, _, field = member.name.partition(".")
        clips.setdefault(key, {})[field] = (member.offset_data, member.size)
    if not clips:
        raise DataError(f"{shard} holds no clip. Delete it, or prepare it again.")
    frames: list[tuple[int, int]] = []
    for key, fields in clips.items():
        foreign = [name for name in fields if name not in OTHERS and not _FRAME.fullmatch(name)]
        if foreign:
            raise DataError(
                f"{shard} is not a shard of training clips: {key}.{foreign[0]} is unknown. Make shards with `fye data prepare`."
            )
        pictures = [frame_field(frame) for frame in range(max(len(fields) - len(OTHERS), 1))]
        if lacking := [f".{field}" for field in (*pictures, *OTHERS) if field not in fields]:
            raise DataError(
                f"{shard}: the clip {key} lacks {', '.join(lacking)}. Copy or prepare the shard again."
            )
        frames += [fields[field] for field in pictures]
    return ShardIndex(
        bytes=size,
        keys=np.array(list(clips)),
        first=np.cumsum([0, *(len(fields) - len(OTHERS) for fields in clips.values())]),
        frames=np.array(frames),
        arrays=np.array([fields["npz"] for fields in clips.values()]),
        facts=np.array([fields["json"] for fields in clips.values()]),
    )


def _members(shard: Path) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                members.append(member)
    except tarfile.ReadError as reason:
        if not members:
            raise DataError(
                f"{shard} is not a tar file, or damaged at its beginning ({reason}). Copy or prepare it again."
            ) from reason
    # A tar file ends with two empty blocks, wherever it was cut they are missing.
    last = members[-1] if members else tarfile.TarInfo("its beginning")
    with shard.open("rb") as file:
        file.seek(last.offset_data + -(-last.size // BLOCK) * BLOCK)
        if file.read(2 * BLOCK) != bytes(2 * BLOCK):
            raise DataError(
                f"{shard} is cut short or damaged after {last.name}. Copy it again, or prepare it again."
            )
    return [member for member in members if member.isfile()]
