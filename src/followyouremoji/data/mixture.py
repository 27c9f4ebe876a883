"""Several sources as one, by weight.

Positions are dealt out in blocks. In each block a source gets the same number of positions, as its weight says, in an
order that the seed and the block give. So the part of a source's own positions that was used up is known at every
position, without counting: each source is gone through in its own order, and its epochs are whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from followyouremoji.data.source import ClipSource, TrainingClip
from followyouremoji.errors import DataError, SettingsError

BLOCK = 1000
"""Positions in a block; weights are kept to one in so many."""


class Mixture:
    """Clips of several sources; a `ClipSource`.

    Parameters
    ----------
    sources : of the same picture size
    weights : one a source, above 0: its share of the clips after division by their sum
    seed : of the order in which the sources take turns

    Raises
    ------
    SettingsError : no source, or weights that cannot be used.
    DataError : sources of different sizes.
    """

    def __init__(self, sources: Sequence[ClipSource], weights: Sequence[float], seed: int = 0) -> None:
        if not sources or len(sources) != len(weights):
            raise SettingsError("A mixture needs at least one source of clips, and as many weights.")
        if not all(np.isfinite(weight) and weight > 0 for weight in weights):
            raise SettingsError(f"The weights of a mixture must be above 0, not {list(weights)}.")
        sizes = sorted({source.size for source in sources})
        if len(sizes) > 1:
            raise DataError(
                f"Clips of {' and '.join(f'{size}x{size}' for size in sizes)} pixels cannot be mixed; prepare or draw them at one size."
            )
        self.sources, self.seed = list(sources), seed
        self.quotas = block_quotas(weights)

    @property
    def size(self) -> int:
        """Width and height of the pictures, in pixels."""
        return self.sources[0].size

    def place(self, position: int) -> tuple[int, int]:
        """Which source a position belongs to, and the position within that source."""
        block, place = divmod(position, BLOCK)
        order = _block_order(tuple(self.quotas), self.seed, block)
        source = int(order[place])
        before = int((order[:place] == source).sum())
        return source, block * self.quotas[source] + before

    def clip(self, position: int, frames: int) -> TrainingClip:
        """See `ClipSource`."""
        source, own_position = self.place(position)
        return self.sources[source].clip(own_position, frames)


def block_quotas(weights: Sequence[float]) -> list[int]:
    """Positions a block for each source: the weights' shares of `BLOCK`, rounded so that they add up, and at least one
    each."""
    shares = np.array(weights, np.float64) / sum(weights) * BLOCK
    quotas = np.maximum(np.floor(shares).astype(int), 1)
    while quotas.sum() < BLOCK:
        quotas[int(np.argmax(shares - quotas))] += 1
    while quotas.sum() > BLOCK:
        quotas[int(np.argmax(quotas))] -= 1
    return [int(quota) for quota in quotas]


@lru_cache(maxsize=8)
def _block_order(quotas: tuple[int, ...], seed: int, block: int) -> np.ndarray:
    """The source of every position of a block, ``(BLOCK,)``."""
    return np.random.default_rng((seed, block)).permutation(np.repeat(np.arange(len(quotas)), quotas))
