"""Clips that `fye data prepare` made, as a source to learn from.

The clip at a position is a pure function of the position and the seed: epoch after epoch, each in an order of its own,
and any process can compute any position. Nothing has to be remembered to go on in the middle of an epoch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from followyouremoji.data.shard_index import ShardIndex, shard_index
from followyouremoji.data.source import TrainingClip
from followyouremoji.data.stored_clip import MOST_BYTES, decode_picture, read_facts, read_points
from followyouremoji.errors import DataError, SettingsError, shown
from followyouremoji.reading import read_json

PLAN = "shards.json"
"""Names the shards of a folder, so that a missing one is noticed."""
MOST_PLAN = 1 << 26
"""Bytes of it: those of half a million source clips."""
SHARD_NAME = r"[^/\\:\x00]+\.tar"
"""What may be the name of a shard: of a file in the folder itself, on every system."""


@lru_cache(maxsize=8)
def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order in which `count` clips are seen in an epoch, ``(count,)``."""
    return np.random.default_rng((seed, epoch)).permutation(count)


class Shards:
    """The clips of a folder of shards; a `ClipSource`.

    Parameters
    ----------
    folder : shards, and their list `shards.json` if it is there; without it, all tar files of the folder.
    seed : of the order of the clips and of the frames that are taken from each.
    strides : distances, in frames, at which frames may be taken; one is drawn for each position among those that the
        clip is long enough for. (1,): successive frames.

    Raises
    ------
    DataError : there is no shard, one is missing, cut short, or not made by `fye data prepare`.
    SettingsError : a stride below 1, or none.
    """

    def __init__(self, folder: Path, seed: int = 0, strides: tuple[int, ...] = (1,)) -> None:
        if not strides or any(stride < 1 for stride in strides):
            raise SettingsError(f"The strides of frames must be whole numbers from 1 on, not {strides}.")
        self.folder, self.seed, self.strides = Path(folder), seed, tuple(sorted(strides))
        self.paths = shard_paths(self.folder)
        self.indices: list[ShardIndex] = [shard_index(path) for path in self.paths]
        self.lengths = np.concatenate([index.lengths for index in self.indices])
        self._starts = np.concatenate([[0], np.cumsum([len(index) for index in self.indices])])
        self._eligible: dict[int, np.ndarray] = {}
        self._size = int(self.facts(0)["size"])

    @property
    def size(self) -> int:
        """Width and height of the pictures, in pixels."""
        return self._size

    def __len__(self) -> int:
        """Clips in the shards."""
        return len(self.lengths)

    def epoch_length(self, frames: int) -> int:
        """Positions in an epoch: clips of at least `frames` frames.

        Raises DataError where there is none.
        """
        return len(self._long_enough(frames))

    def clip(self, position: int, frames: int) -> TrainingClip:
        """See `ClipSource`. Clips shorter than `frames` are passed over; of a longer one, part is taken."""
        eligible = self._long_enough(frames)
        epoch, place = divmod(position, len(eligible))
        number = int(eligible[epoch_order(self.seed, epoch, len(eligible))[place]])
        rng = np.random.default_rng((self.seed, epoch, place))
        possible = [
            stride for stride in self.strides if (frames - 1) * stride < self.lengths[number]
        ] or self.strides[:1]
        stride = int(rng.choice(possible))
        begin = int(rng.integers(self.lengths[number] - (frames - 1) * stride))
        return self.stored(number, range(begin, begin + (frames - 1) * stride + 1, stride))

    def facts(self, number: int) -> dict[str, Any]:
        """What `KEY.json` of a clip says, by its number, from 0, in the order of the shards."""
        index, place, path = self._place(number)
        name = f"{index.keys[place]}.json"
        return read_facts(_content(path, index.facts[place], "json"), f"{path}, {name}")

    def stored(self, number: int, frames: Sequence[int] | None = None) -> TrainingClip:
        """A clip by its number, from 0; all of its frames, or some.

        Raises DataError, naming shard and member, for whatever is damaged or missing.
        """
        index, place, path = self._place(number)
        key, first, length = str(index.keys[place]), int(index.first[place]), int(index.lengths[place])
        chosen = list(range(length) if frames is None else frames)
        points = read_points(_content(path, index.arrays[place], "npz"), length, f"{path}, {key}.npz")
        pictures = [
            decode_picture(
                _content(path, index.frames[first + frame], "jpg"),
                self.size,
                f"{path}, frame {frame} of {key}",
            )
            for frame in chosen
        ]
        return TrainingClip(key, np.stack(pictures), points[chosen])

    def _long_enough(self, frames: int) -> np.ndarray:
        if frames < 1:
            raise DataError(f"A clip has at least one frame; {frames} were asked for.")
        if frames not in self._eligible:
            least = (frames - 1) * self.strides[0] + 1
            eligible = np.flatnonzero(self.lengths >= least)
            if not len(eligible):
                raise DataError(
                    f"{self.folder} has no clip of {least} frames; the longest of its {len(self)} clips has {self.lengths.max()}. "
                    "Train on shorter clips, or prepare longer ones (--min-frames)."
                )
            self._eligible[frames] = eligible
        return self._eligible[frames]

    def _place(self, number: int) -> tuple[ShardIndex, int, Path]:
        shard = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self.indices[shard], number - int(self._starts[shard]), self.paths[shard]


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a folder, in order.

    Raises DataError if there is none, or one that the folder's list names is missing.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder} with training clips. Make it with `fye data prepare`.")
    plan = folder / PLAN
    if not plan.is_file():
        paths = sorted(folder.glob("*.tar"))
        if not paths:
            raise DataError(f"{folder} holds no shard (*.tar). Make some with `fye data prepare`.")
        return paths
    try:
        names = [shard["name"] for shard in read_json(plan, MOST_PLAN)["shards"]]
        if not all(re.fullmatch(SHARD_NAME, name) for name in names):
            raise ValueError("it names what cannot be a shard of its folder")
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise DataError(
            f"{plan} is damaged. Delete it to use every tar file of the folder, or prepare it again."
        ) from reason
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing)} of its {len(names)} shards ({shown(missing[0])} first). Run `fye data prepare` to its end or copy "
            f"them; or delete {plan.name} there to use those that are there."
        )
    if not names:
        raise DataError(f"{folder} holds no clip: none passed the filters, see its report.")
    return [folder / name for name in names]


def _content(path: Path, place: np.ndarray, ending: str) -> bytes:
    """A member by its place in a shard."""
    offset, size = (int(value) for value in place)
    if size > MOST_BYTES[ending]:
        raise DataError(f"{path} has a .{ending} of {size >> 20} MiB, which no clip has. Prepare it again.")
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read(size)
    except OSError as reason:
        raise DataError(f"{path} cannot be read: {reason.strerror or reason}.") from reason
    if len(content) < size:
        raise DataError(f"{path} has become shorter since it was opened. Copy it again, or prepare it again.")
    return content
