"""When a preset counts as lossless, with a small model of random weights."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.benchmark.speed import (
    JUDGED,
    LAYER_CACHES,
    ReadClip,
    SpeedMethod,
    SpeedRow,
    compared_methods,
    is_lossless,
    judge,
    seed_methods,
)
from followyouremoji.sampling.presets import PRESETS, ForecastSettings

SEEDS = ("exact", "exact, seed 1", "exact, seed 2")


def rows_of(method: str, *values: float) -> list[SpeedRow]:
    return [
        SpeedRow(method, str(case), 1.0, 1.0, 30, 0.0, dict.fromkeys(JUDGED, value))
        for case, value in enumerate(values)
    ]


def test_a_preset_is_judged_by_what_seeds_differ_by() -> None:
    rows = rows_of(SEEDS[0], 1.0, 2.0) + rows_of(SEEDS[1], 1.2, 2.2) + rows_of(SEEDS[2], 0.8, 2.4)
    rows += rows_of("near", 1.1, 1.95) + rows_of("biased", 1.3, 2.3) + rows_of("wild", 2.0, 1.0)
    near, biased, wild = (judge(rows, name, SEEDS)[0] for name in ("near", "biased", "wild"))
    # Seeds differ by 0.2, 0.1 and 0.1 in the mean, and case by case by 0.2, 0.3 and 0.3.
    assert near.seeds_of_means == pytest.approx(0.4 / 3)
    assert near.seeds_of_cases == pytest.approx(0.8 / 3)
    assert (near.of_means, near.of_cases) == pytest.approx((0.025, 0.075))
    assert (near.kept_in_mean, near.kept_by_case) == (True, True)
    assert (biased.kept_in_mean, biased.kept_by_case) == (False, False)
    assert (wild.kept_in_mean, wild.kept_by_case) == (True, False)
    assert is_lossless(judge(rows, "near", SEEDS))
    assert not is_lossless(judge(rows, "wild", SEEDS))


def test_cases_without_a_figure_are_left_out() -> None:
    rows = rows_of(SEEDS[0], 1.0, np.nan) + rows_of(SEEDS[1], 1.5, 7.0) + rows_of("other", 1.25, 3.0)
    assert judge(rows, "other", SEEDS[:2])[0].of_cases == pytest.approx(0.25)


def test_the_exact_sampler_comes_first() -> None:
    methods = seed_methods(30, 3)
    assert [method.name for method in methods] == list(SEEDS)
    assert [method.seed for method in methods] == [0, 1, 2]
    assert {method.cache for method in methods} == {None}


def test_presets_are_compared_with_other_forecasts_and_fewer_steps() -> None:
    methods = compared_methods(30, passes=[3], fewer_steps=[10])
    assert [method.name for method in methods] == [*list(PRESETS)[1:], "3 passes", "DDIM, 10 steps"]
    assert methods[-2].cache == ForecastSettings(passes=3)
    assert methods[-1].steps == 10
    assert compared_methods(30, layers=True)[-len(LAYER_CACHES) :] == [
        SpeedMethod(name, cache, 30) for name, cache in LAYER_CACHES.items()
    ]


def test_a_timed_clip_is_what_the_animator_draws() -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.animator import AnimationSettings, PortraitAnimator
    from followyouremoji.portraits import Performance, draw_portrait, random_identity
    from tests.small_model import small_model
    from tests.test_preparation import drawn_motion, landmarks_of

    model = small_model()
    animator = PortraitAnimator(model)
    drawing = draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 96)
    prepared = animator.prepare(drawing.picture, drawn_motion(3), portrait_landmarks=landmarks_of(drawing))
    clip = ReadClip(model, prepared, model.config.guidance_scale)
    denoised = clip.denoised(SpeedMethod("exact", None, 8), model.config.shared_noise)
    frames = list(animator.frames(prepared, AnimationSettings(steps=8, speed="exact")))
    np.testing.assert_array_equal(clip.finished(denoised.sampled), np.stack(frames))
    assert denoised.computed == 8


def test_a_clip_longer_than_the_model_s_window_is_drawn_in_windows() -> None:
    """As the animator's windows are, though it could not be seen at once."""
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.animator import AnimationSettings, PortraitAnimator
    from followyouremoji.portraits import Performance, draw_portrait, random_identity
    from tests.small_model import small_model
    from tests.test_preparation import drawn_motion, landmarks_of

    model = small_model()
    model = replace(model, config=replace(model.config, window=4))
    drawing = draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 96)
    animator = PortraitAnimator(model)
    prepared = animator.prepare(drawing.picture, drawn_motion(6), portrait_landmarks=landmarks_of(drawing))
    clip = ReadClip(model, prepared, model.config.guidance_scale)
    denoised = clip.denoised(SpeedMethod("exact", None, 2), model.config.shared_noise)
    settings = AnimationSettings(steps=2, speed="exact", long_clips="windows")
    frames = list(animator.frames(prepared, settings))
    np.testing.assert_array_equal(clip.finished(denoised.sampled), np.stack(frames))
