"""Features of layers, cached with rules by region, in whole clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.presets import ForecastSettings, StageRules, TaylorSettings, preset
from followyouremoji.sampling.progressive import Segment
from followyouremoji.sampling.sampler import Tally, region_of, sample
from followyouremoji.sampling.settings import SamplingSettings
from tests.sampling.test_sampler import SHAPE, Case, Reader, drawn


class Shifted(Reader):
    """With a region elsewhere."""

    def region(self, frames: Sequence[int]) -> Tensor:
        return super().region([frame + 3 for frame in frames])


@pytest.mark.parametrize(
    ("layout", "strategy"),
    [(layout, strategy) for layout in ("paper", "released") for strategy in ("windows", "tiles")]
    + [("paper", "keyframes"), ("paper", "chain")],
)
def test_layers_are_cached_in_every_layout_and_strategy(layout: str, strategy: str) -> None:
    """It forecasts half of 4 steps and stays near the exact clip; another region is another clip."""
    case = Case(layout)
    tally = Tally()
    cache = TaylorSettings(
        (StageRules(0.5, 0.5, inside=1, outside=0), StageRules(1.0, 0.5, inside=1, outside=0, cut=1))
    )
    settings = SamplingSettings(steps=4, window=4, strategy=strategy, batch=2, cache=cache)
    exact = drawn(case, 7, replace(settings, cache=None), 2.0)
    clip = drawn(case, 7, settings, 2.0, tally=tally)
    moved = torch.cat([piece.latents for piece in sample([Shifted(case, 2.0)], 7, SHAPE, settings)])
    assert tally.forecast == tally.computed > 0
    assert 1e-4 < (clip - exact).norm() / exact.norm() < 0.5
    assert (clip - moved).abs().max() > 1e-3


def test_a_region_is_read_where_a_cache_asks_for_it() -> None:
    reader = Case("paper").reader()
    batch = (Segment((2, 3, 6), (True, False, True)), Segment((7, 8, 9), (True, False, True)))
    for cache in (None, ForecastSettings(3), TaylorSettings((StageRules(1.0, 0.5, inside=1, outside=1),))):
        assert region_of(reader, batch, cache) is None
    region = region_of(reader, batch, preset("paper"))
    assert region is not None
    assert region.shape == (2, 1, 3, 8, 8)
    columns = region.amax(dim=3).argmax(dim=3)[:, 0]
    assert columns.tolist() == [[2, 3, 6], [7, 0, 1]]


def test_a_cut_deeper_than_the_u_is_refused() -> None:
    with pytest.raises(SettingsError, match="4 skips, and a cache cannot cut deeper, at 5"):
        Case("paper").chunks(5, cache=TaylorSettings((StageRules(1.0, 0.5, cut=5),)))
