"""Clips read ahead: order kept, memory bounded, errors and deaths passed on."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.data import Shards, TrainingClip, batches
from followyouremoji.errors import DataError
from tests.data.samples import write_shard

SIZE = 8


@dataclass(frozen=True)
class Scripted:
    """A source in which one position fails, and another ends the process that reads it."""

    failing: int = -1
    deadly: int = -1
    size: int = SIZE
    asked: list[int] = field(default_factory=list)

    def clip(self, position: int, frames: int) -> TrainingClip:
        self.asked.append(position)
        if position == self.failing:
            raise DataError(f"clip {position} is damaged")
        if position == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        pictures = np.full((frames, SIZE, SIZE, 3), position % 256, np.uint8)
        return TrainingClip(str(position), pictures, np.zeros((frames, 478, 3), np.float32))


def pairs(last: int) -> Iterator[tuple[int, int]]:
    return ((first, first + 1) for first in range(0, last, 2))


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_kept(workers: int) -> None:
    got = [[int(clip.key) for clip in batch] for batch in batches(Scripted(), pairs(14), 2, workers)]
    assert got == [list(pair) for pair in pairs(14)]


def test_workers_read_the_same_as_the_source_itself(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard-000000.tar", [6, 5, 4])
    shards = Shards(tmp_path, seed=1)
    for batch, positions in zip(batches(shards, pairs(6), 3, workers=1), pairs(6), strict=True):
        for clip, position in zip(batch, positions, strict=True):
            direct = shards.clip(position, 3)
            assert clip.key == direct.key
            np.testing.assert_array_equal(clip.pictures, direct.pictures)


def test_an_endless_list_of_positions_is_read_only_a_little_ahead() -> None:
    source = Scripted()
    reading = batches(source, ((position,) for position in count()), 1)
    for position in range(3):
        assert next(reading)[0].key == str(position)
    reading.close()  # type: ignore[attr-defined]
    assert len(source.asked) <= 3 + 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("clips")]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_comes_where_its_batch_would_have(workers: int) -> None:
    reading = batches(Scripted(failing=5), pairs(20), 1, workers)
    assert [len(next(reading)) for _ in range(2)] == [2, 2]
    with pytest.raises(DataError, match="clip 5 is damaged"):
        next(reading)


def test_a_killed_worker_is_told_in_words() -> None:
    with pytest.raises(DataError, match="was killed"):
        list(batches(Scripted(deadly=3), pairs(20), 1, workers=1))
