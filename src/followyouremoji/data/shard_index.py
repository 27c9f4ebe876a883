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
from typing import Self

import numpy as np

from followyouremoji.arrays import ArraysError, read_arrays
from followyouremoji.data.stored_clip import BLOCK, frame_field
from followyouremoji.errors import DataError, first_line, shown, some_of
from followyouremoji.files import write_arrays

INDEX_ENDING = ".index.npz"
OTHERS = ("npz", "json")
"""Fields of a clip beside its frames."""
_FRAME = re.compile(r"\d{4,}\.jpg")
LONGEST_KEY = 200  # characters; in an index, every key takes as much room as the longest
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE)
LONGEST_EXTENSION, MOST_SIZE = 1 << 16, 1 << 50  # bytes


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
    """The index beside a shard; None where there is none, or one of another shard: it is only a copy, and a new one is
    made."""
    try:
        stored = read_arrays(index_path(shard))
        if stored.pop("bytes") != size:
            return None
        index = ShardIndex(size, **stored)
        return index if _fits(index) else None
    except (OSError, ArraysError, KeyError, TypeError, ValueError):
        return None


def _fits(index: ShardIndex) -> bool:
    """Whether an index that was read is of whole clips that lie within the shard."""
    clips, places = len(index), (index.frames, index.arrays, index.facts)
    if index.keys.dtype.kind != "U" or any(of.dtype != np.int64 for of in (index.first, *places)):
        return False
    if index.first.shape != (clips + 1,) or index.first[0] != 0 or not (np.diff(index.first) > 0).all():
        return False
    if [of.shape for of in places] != [(index.first[-1], 2), (clips, 2), (clips, 2)] or not clips:
        return False
    offsets, sizes = np.concatenate(places).T
    return bool(
        ((offsets >= 0) & (sizes >= 0) & (sizes <= index.bytes) & (offsets <= index.bytes - sizes)).all()
    )


def _built_index(shard: Path, size: int) -> ShardIndex:
    clips: dict[str, dict[str, tuple[int, int]]] = {}
    for member in _members(shard):
        key, _, field = member.name.partition(".")
        if len(key) > LONGEST_KEY:
            raise DataError(f"{shard} is not a shard of training clips: {shown(key)} is too long for a key.")
        clips.setdefault(key, {})[field] = (member.offset_data, member.size)
    if not clips:
        raise DataError(f"{shard} holds no clip. Delete it, or prepare it again.")
    frames: list[tuple[int, int]] = []
    for key, fields in clips.items():
        foreign = [name for name in fields if name not in OTHERS and not _FRAME.fullmatch(name)]
        if foreign:
            raise DataError(
                f"{shard} is not a shard of training clips: {key}.{shown(foreign[0])} is unknown. Make shards with `fye data prepare`."
            )
        pictures = [frame_field(frame) for frame in range(max(len(fields) - len(OTHERS), 1))]
        if lacking := [f".{field}" for field in (*pictures, *OTHERS) if field not in fields]:
            raise DataError(
                f"{shard}: the clip {key} lacks {some_of(lacking)}. Copy or prepare the shard again."
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


class _PlainMember(tarfile.TarInfo):
    """A file or folder in a tar file, perhaps with a short extended header; links, sparse files and sizes below zero,
    which can lead a reader round in circles, are taken for damage."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member: Self = super().frombuf(buf, encoding, errors)
        most = LONGEST_EXTENSION if member.type == tarfile.XHDTYPE else MOST_SIZE
        if member.type not in PLAIN or not 0 <= member.size <= most:
            raise tarfile.ReadError("it holds what no shard does")
        return member


def _members(shard: Path) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(shard, "r:", tarinfo=_PlainMember) as archive:
            for member in archive:
                if (members and member.offset <= members[-1].offset) or member.size < 0:
                    raise tarfile.ReadError("it leads round in a circle")
                members.append(member)
    except Exception as reason:  # damaged headers fail in many ways inside tarfile
        if not members:
            raise DataError(
                f"{shard} is not a tar file, or damaged at its beginning ({first_line(reason)}). Copy or prepare it again."
            ) from reason
    # A tar file ends with two empty blocks, wherever it was cut they are missing.
    last = members[-1] if members else tarfile.TarInfo("its beginning")
    with shard.open("rb") as file:
        file.seek(last.offset_data + -(-last.size // BLOCK) * BLOCK)
        if file.read(2 * BLOCK) != bytes(2 * BLOCK):
            raise DataError(
                f"{shard} is cut short or damaged after {shown(last.name)}. Copy it again, or prepare it again."
            )
    return [member for member in members if member.isfile()]
