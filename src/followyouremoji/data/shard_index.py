"""Where each clip lies in a shard, so that any clip can be read without reading the ones before it.

The index of ``shard-000000.tar`` is ``shard-000000.index.npz`` beside it: read in an instant, and built again from the
tar file whenever it is missing or the tar file is of another size than when it was built.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from followyouremoji.data.stored_clip import BLOCK
from followyouremoji.errors import DataError
from followyouremoji.files import atomic

INDEX_ENDING = ".index.npz"
_FRAME = re.compile(r"(\d{4,})\.jpg")


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
        _save(index_path(shard), index)
    return index


def index_path(shard: Path) -> Path:
    return shard.with_name(shard.name.removesuffix(".tar") + INDEX_ENDING)


def _saved_index(shard: Path, size: int) -> ShardIndex | None:
    path = index_path(shard)
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            index = ShardIndex(
                int(stored["bytes"]),
                *(stored[name] for name in ("keys", "first", "frames", "arrays", "facts")),
            )
    except Exception:  # an index is only a copy: whatever is wrong with it, a new one is made
        return None
    return index if index.bytes == size else None


def _save(path: Path, index: ShardIndex) -> None:
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            bytes=index.bytes,
            keys=index.keys,
            first=index.first,
            frames=index.frames,
            arrays=index.arrays,
            facts=index.facts,
        )


def _built_index(shard: Path, size: int) -> ShardIndex:
    keys: list[str] = []
    lengths: list[int] = []
    frames: list[tuple[int, int]] = []
    others: dict[str, list[tuple[int, int]]] = {"npz": [], "json": []}
    for key, field, place in _members(shard, size):
        if not keys or key != keys[-1]:
            if keys:
                _check_whole(shard, keys, lengths, others)
            keys.append(key)
            lengths.append(0)
        frame = _FRAME.fullmatch(field)
        if frame and int(frame.group(1)) == lengths[-1]:
            lengths[-1] += 1
            frames.append(place)
        elif field in others and len(others[field]) == len(keys) - 1:
            others[field].append(place)
        else:
            raise DataError(
                f"{shard} is not a shard of training clips: {key}.{field} is unknown, twice there, or a frame out of order. "
                "Make shards with `fye data prepare`."
            )
    if not keys:
        raise DataError(f"{shard} holds no clip. Delete it, or prepare it again.")
    _check_whole(shard, keys, lengths, others)
    if len(set(keys)) < len(keys):
        raise DataError(f"{shard} holds clips of the same key that are not together.")
    return ShardIndex(
        bytes=size,
        keys=np.array(keys),
        first=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        frames=np.array(frames, np.int64),
        arrays=np.array(others["npz"], np.int64),
        facts=np.array(others["json"], np.int64),
    )


def _check_whole(
    shard: Path, keys: list[str], lengths: list[int], others: dict[str, list[tuple[int, int]]]
) -> None:
    """Raise unless the clip read last has frames, arrays and facts."""
    lacking = [f".{field}" for field, places in others.items() if len(places) < len(keys)]
    if lengths[-1] == 0:
        lacking.insert(0, ".0000.jpg")
    if lacking:
        raise DataError(
            f"{shard}: the clip {keys[-1]} lacks {', '.join(lacking)}. Copy or prepare the shard again."
        )


def _members(shard: Path, size: int) -> Iterator[tuple[str, str, tuple[int, int]]]:
    """Key, field, and (offset, size) of every member, in order."""
    last, end = "", 0
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                if end > size:
                    raise _cut_short(shard, f"within {member.name}")
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                key, _, field = name.partition(".")
                last = member.name
                yield f"{folder}/{key}" if folder else key, field, (member.offset_data, member.size)
    except tarfile.ReadError as reason:
        if not last:
            raise DataError(
                f"{shard} is not a tar file, or damaged at its beginning ({reason}). Copy or prepare it again."
            ) from reason
        raise _cut_short(shard, f"after {last}") from reason
    # A tar file ends with two empty blocks; without them it was cut exactly between two members.
    with shard.open("rb") as file:
        file.seek(end)
        closing = file.read(2 * BLOCK)
    if closing != bytes(2 * BLOCK):
        raise _cut_short(shard, f"after {last}" if last else "at its beginning")


def _cut_short(shard: Path, where: str) -> DataError:
    return DataError(f"{shard} is cut short or damaged {where}. Copy it again, or prepare it again.")
