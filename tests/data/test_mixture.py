"""Sources mixed by weight: exact shares, each source gone through in its own order."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from followyouremoji.data import Mixture, TrainingClip
from followyouremoji.data.mixture import BLOCK, block_quotas
from followyouremoji.errors import DataError, SettingsError


@dataclass(frozen=True)
class Numbered:
    """A source whose clips tell the position that was asked for."""

    name: str
    size: int = 16

    def clip(self, position: int, frames: int) -> TrainingClip:
        pictures = np.zeros((frames, self.size, self.size, 3), np.uint8)
        return TrainingClip(f"{self.name}-{position}", pictures, np.zeros((frames, 478, 3), np.float32))


def test_every_block_has_the_shares_of_the_weights_and_each_source_counts_up() -> None:
    mixture = Mixture([Numbered("a"), Numbered("b"), Numbered("c")], [5.0, 3.0, 0.1], seed=2)
    keys = [mixture.clip(position, 1).key for position in range(2 * BLOCK)]
    shares = Counter(key[0] for key in keys)
    assert shares["a"] / len(keys) == pytest.approx(5 / 8.1, abs=1e-3)
    assert shares["c"] / len(keys) == pytest.approx(0.1 / 8.1, abs=1e-3)
    for name, count in shares.items():
        own = [int(key[2:]) for key in keys if key[0] == name]
        assert own == list(range(count))


def test_sources_take_turns_in_an_order_of_the_seed() -> None:
    def turns(seed: int) -> list[int]:
        mixture = Mixture([Numbered("a"), Numbered("b")], [1, 1], seed)
        return [mixture.place(position)[0] for position in range(BLOCK)]

    assert turns(1) == turns(1)
    assert turns(1) != turns(2)
    assert 0.4 < np.mean(np.diff(turns(1)) != 0) < 0.6  # no order to be seen


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=30))
@settings(deadline=None)
def test_quotas_add_up_and_leave_nobody_out(weights: list[float]) -> None:
    quotas = block_quotas(weights)
    assert sum(quotas) == BLOCK
    assert min(quotas) >= 1
    shares = np.array(weights) / sum(weights) * BLOCK
    assert np.abs(np.array(quotas) - np.maximum(shares, 1)).max() <= len(weights) + 1


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(DataError, match=r"16x16 and 32x32"):
        Mixture([Numbered("a"), Numbered("b", 32)], [1, 1])
    for weights in ([1.0], [1.0, 0.0], [1.0, float("nan")]):
        with pytest.raises(SettingsError, match="weights"):
            Mixture([Numbered("a"), Numbered("b")], weights)
