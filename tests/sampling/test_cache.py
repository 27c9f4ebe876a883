"""The mathematics of both caches, and what their presets are."""

import numpy as np
import pytest
import torch

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.cache import (
    TaylorCache,
    VelocityForecast,
    curved_steps,
    lagrange_weights,
    taylor_weights,
    velocity_forecast,
)
from followyouremoji.sampling.presets import PRESETS, ForecastSettings, TaylorSettings, preset
from followyouremoji.sampling.schedule import ddim_schedule


@pytest.mark.parametrize("weights", [taylor_weights, lagrange_weights])
@pytest.mark.parametrize("order", [0, 1])
def test_polynomials_of_their_order_are_forecast_exactly(weights, order: int) -> None:
    times = np.array([0.0, 1.0, 4.0])[: order + 1]
    values = 3.0 - 2.0 * times if order else np.full(1, 3.0)
    assert weights(times, 6.0) @ values == pytest.approx(3.0 - 12.0 * order)
    assert weights(times, 6.0).sum() == pytest.approx(1.0)


def test_a_quadratic_is_lagranges_and_taylors_with_the_error_of_its_differences() -> None:
    """Backward differences are derivatives half an interval ago: x^2 from 0, 1, 2 to 4 is 16, and by Taylor
    4 + 3 * 2 + 2 * 2^2 / 2 = 14."""
    times = np.array([0.0, 1.0, 2.0])
    assert lagrange_weights(times, 4.0) @ times**2 == pytest.approx(16.0)
    assert taylor_weights(times, 4.0) @ times**2 == pytest.approx(14.0)


def test_sites_are_computed_in_the_warm_up_and_then_in_one_step_of_several() -> None:
    cache, made = TaylorCache(TaylorSettings(order=1, interval=3, warm_up=2)), []
    features = []
    for step in range(8):
        cache.step = step

        def compute(step: int = step) -> torch.Tensor:
            made.append(step)
            return torch.tensor([2.0 * step])

        features.append(float(cache("down_blocks.0.resnets.0", compute)))
    assert made == [0, 1, 4, 7]
    assert features == pytest.approx([2.0 * step for step in range(8)]), "a line is forecast exactly"


def test_rules_may_differ_by_site_and_stage() -> None:
    class Regional(TaylorCache):
        def rule(self, site: str) -> TaylorSettings:
            late = self.step >= 4
            return TaylorSettings(0, 1, 1) if site.startswith("mid") or late else TaylorSettings(0, 9, 1)

    cache, made = Regional(TaylorSettings()), []
    for step in range(6):
        cache.step = step
        for site in ("mid_block.resnets.0", "up_blocks.0.resnets.0"):
            cache(site, lambda site=site, step=step: made.append((site[:2], step)) or torch.zeros(1))
    assert [step for site, step in made if site == "mi"] == list(range(6))
    assert [step for site, step in made if site == "up"] == [0, 4, 5]


def test_forecasts_of_half_precision_are_summed_in_full() -> None:
    forecast = VelocityForecast((0, 1, 2), np.array([0.0, 1.0, 2.0, 3.0]))
    for step, value in enumerate((1000.0, 1001.0, 1002.0)):
        forecast.remember(step, torch.tensor([value], dtype=torch.float16))
    assert forecast.at(3).dtype == torch.float16
    assert float(forecast.at(3)) == 1003.0


@pytest.mark.parametrize(("passes", "steps"), [(2, 2), (2, 30), (4, 5), (6, 30), (30, 31), (12, 1000)])
def test_computed_steps_ascend_from_the_first_to_the_last(passes: int, steps: int) -> None:
    computed = curved_steps(passes, ddim_schedule(steps))
    assert len(computed) == passes
    assert list(computed) == sorted(set(computed))
    assert (computed[0], computed[-1]) == (0, steps - 1)


def test_passes_are_dense_where_the_schedule_bends() -> None:
    """At its end, where the last noise goes."""
    computed = curved_steps(8, ddim_schedule(30))
    assert max(np.diff(computed)[-2:]) < max(np.diff(computed)[:-2])


def test_presets_compute_ever_fewer_passes() -> None:
    passes = [30 if one is None else one.computed(30) for one in PRESETS.values()]
    assert dict(zip(PRESETS, passes, strict=True)) == {
        "exact": 30,
        "lossless": 6,
        "fast": 5,
        "fastest": 4,
        "paper": 8,
    }


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 7, 30])
def test_few_steps_are_all_computed(steps: int) -> None:
    for settings in (None, ForecastSettings(passes=6)):
        forecast = velocity_forecast(settings, ddim_schedule(steps))
        assert len(forecast.computed) == (steps if settings is None else settings.computed(steps))


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(
        SettingsError, match="no speed 'warp': choose from exact, lossless, fast, fastest, paper"
    ):
        preset("warp")
    with pytest.raises(SettingsError, match="at least 2 passes"):
        ForecastSettings(passes=1)
    with pytest.raises(SettingsError, match="an interval of 1"):
        TaylorSettings(interval=0)
