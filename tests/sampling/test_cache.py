"""The mathematics of both caches, and what their presets are."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from followyouremoji.errors import SettingsError
from followyouremoji.sampling.cache import (
    TaylorCache,
    VelocityForecast,
    curved_steps,
    lagrange_weights,
    taylor_weights,
    velocity_forecast,
)
from followyouremoji.sampling.presets import PRESETS, ForecastSettings, StageRules, TaylorSettings, preset
from followyouremoji.sampling.schedule import ddim_schedule

PAPER = preset("paper")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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


def features_of(
    settings: TaylorSettings,
    steps: int,
    value: Callable[[int], Tensor],
    region: Tensor | None = None,
    cut: int = 0,
) -> tuple[list[Tensor], list[int]]:
    """What a cache gives at a cut in each step where `value` is computed, and the steps in which it was."""
    cache, made, given = TaylorCache(settings, steps, region), [], []

    def compute(step: int) -> Tensor:
        made.append(step)
        return value(step)

    for step in range(steps):
        cache.step = step
        given.append(cache(cut, partial(compute, step)))
    return given, made


def line(step: int) -> Tensor:
    return torch.full((1, 1, 2, 2), 2.0 * step)


def test_features_are_computed_once_an_interval_and_predicted_between() -> None:
    given, made = features_of(TaylorSettings((StageRules(0.25, 0), StageRules(1.0, 3 / 8))), 8, line)
    assert made == [0, 1, 4, 7]
    assert [float(one[0, 0, 0, 0]) for one in given] == pytest.approx([2.0 * step for step in range(8)])


def test_stages_have_rules_of_their_own() -> None:
    """A third each: every step, every 5th, every 2nd, counted from the last computed one; a line is predicted exactly
    in the last stage alone, which has the order for it."""
    stages = (StageRules(1 / 3, 0), StageRules(2 / 3, 5 / 15, inside=0), StageRules(1.0, 2 / 15, inside=1))
    given, made = features_of(TaylorSettings(stages), 15, line)
    assert made == [0, 1, 2, 3, 4, 9, 11, 13]
    assert [float(given[step][0, 0, 0, 0]) for step in (5, 8, 10, 12, 14)] == [8.0, 8.0, 20.0, 24.0, 28.0]


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 30, 1000])
def test_the_first_step_is_computed_and_every_step_has_a_rule(steps: int) -> None:
    rules = PAPER.rules(steps)
    assert len(rules) == steps
    assert rules[0][1]
    assert [stage.until for stage, _ in rules] == sorted(stage.until for stage, _ in rules)


def test_around_landmarks_features_are_predicted_and_elsewhere_reused() -> None:
    settings = TaylorSettings((StageRules(1.0, 2 / 4, inside=1, outside=0),))
    region = torch.zeros(1, 1, 1, 2, 2)
    region[..., 0, 1] = 1
    given, made = features_of(settings, 4, line, region)
    assert made == [0, 2]
    assert given[3].tolist() == [[[[4.0, 6.0], [4.0, 4.0]]]]


@pytest.mark.parametrize(("region", "order"), [(0.0, 0), (1.0, 1), (None, 1)])
def test_a_region_of_nothing_reuses_and_one_of_everything_predicts(region: float | None, order: int) -> None:
    """To the bit; and without a region all is around landmarks."""
    mixed, same = (
        StageRules(1.0, 3 / 8, inside=1, outside=0),
        StageRules(1.0, 3 / 8, inside=order, outside=order),
    )
    where = None if region is None else torch.full((1, 1, 1, 2, 2), region)
    given, same_given = (
        features_of(
            TaylorSettings((stage,)), 8, lambda step: torch.randn(1, 3, 2, 2, generator=seeded(step)), where
        )[0]
        for stage in (mixed, same)
    )
    assert all(torch.equal(*pair) for pair in zip(given, same_given, strict=True))
    assert torch.equal(given[7], given[6]) == (order == 0), "a prediction goes on"


def test_a_region_is_that_of_each_sample_and_frame_at_a_deeper_level_s_resolution() -> None:
    """Two samples of two frames of 5x4 latents, features of 3x2: a place belongs to the region where any of its latents
    does."""
    region = torch.zeros(2, 1, 2, 5, 4)
    region[0, 0, 1, 0, 0] = region[1, 0, 0, 4, 3] = 1
    settings = TaylorSettings((StageRules(1.0, 2 / 4, inside=1, outside=0, cut=3),))
    given, _ = features_of(settings, 4, lambda step: torch.full((4, 2, 3, 2), float(step)), region, cut=3)
    predicted = given[3] == 3.0
    expected = torch.zeros(4, 2, 3, 2, dtype=torch.bool)  # sample 0's frames, then sample 1's
    expected[1, :, 0, 0] = expected[2, :, 2, 1] = True
    assert torch.equal(predicted, expected)


def test_other_cuts_are_computed_and_not_kept() -> None:
    settings = TaylorSettings((StageRules(1.0, 1.0, cut=2),))
    given, made = features_of(settings, 4, line, cut=1)
    assert made == [0, 1, 2, 3]
    assert len(given) == 4


def test_stages_may_cut_at_different_depths() -> None:
    """The later stage predicts from what was computed in the earlier one, too."""
    cache = TaylorCache(TaylorSettings((StageRules(0.5, 2 / 8, cut=0), StageRules(1.0, 2 / 8, cut=1))), 8)
    made: list[tuple[int, int]] = []

    def compute(cut: int, step: int) -> Tensor:
        made.append((step, cut))
        return cache(1, partial(compute, 1, step)) if cut == 0 else line(step)

    given = []
    for step in range(8):
        cache.step = step
        given.append(float(cache(0, partial(compute, 0, step))[0, 0, 0, 0]))
    assert given == [0.0, 0.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]
    assert made == [(0, 0), (0, 1), (2, 0), (2, 1), (4, 0), (4, 1), (5, 0), (6, 0), (6, 1), (7, 0)]


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


@pytest.mark.parametrize("steps", [10, 15, 20, 30, 60, 1000])
def test_the_papers_passes_hardly_depend_on_the_number_of_steps(steps: int) -> None:
    assert PAPER.computed(steps) in (7, 8)


@pytest.mark.parametrize("steps", [1, 2, 5, 6, 7, 30])
def test_few_steps_are_all_computed(steps: int) -> None:
    if steps < 8:
        assert PAPER.computed(steps) == steps
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
    with pytest.raises(SettingsError, match="An interval is a share of 0 to 1 of the steps, not 5"):
        StageRules(1.0, 5)
    with pytest.raises(SettingsError, match="at least 0, not 2, 1 and -1"):
        StageRules(1.0, 0.2, cut=-1)
    with pytest.raises(SettingsError, match="a share of 0 to 1 of the steps is taken, not 30"):
        StageRules(30, 0.2)
    for ends in ((), (0.5,), (0.5, 0.5, 1.0), (1.0, 0.5)):
        with pytest.raises(SettingsError, match="the last at 1, not at"):
            TaylorSettings(tuple(StageRules(end, 0.2) for end in ends))
