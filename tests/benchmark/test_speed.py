"""When a forecast counts as lossless, and finding one, with a small model of random weights."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from followyouremoji.benchmark.calibration import Calibration, Trial, calibrate, candidates
from followyouremoji.benchmark.full_size_speed import TimedMethod, Took, measure_full_size, table
from followyouremoji.benchmark.speed import (
    JUDGED,
    SpeedRow,
    denoise_clip,
    finished_frames,
    is_lossless,
    judge,
    read_clip,
)
from followyouremoji.benchmark.speed_methods import (
    COMPARISON,
    GUIDANCE,
    SpeedMethod,
    compared_methods,
    seed_methods,
)
from followyouremoji.checkpoints.acceleration import Acceleration
from followyouremoji.errors import SettingsError
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.placement import curved_forecast
from followyouremoji.sampling.forecast.recorded import Record
from tests.tiny import tiny_network

SEEDS = ("exact", "exact, seed 1", "exact, seed 2")


def rows_of(method: str, *values: float) -> list[SpeedRow]:
    return [
        SpeedRow(method, case, 1.0, 1.0, 30, 0, 0, 0.0, dict.fromkeys(JUDGED, value))
        for case, value in enumerate(values)
    ]


def test_a_forecast_is_judged_by_what_seeds_differ_by() -> None:
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
    rows = rows_of(SEEDS[0], 1.0, np.nan) + rows_of(SEEDS[1], 1.5, 7.0) + rows_of("told", 1.25, 3.0)
    assert judge(rows, "told", SEEDS[:2])[0].of_cases == pytest.approx(0.25)


def test_the_exact_sampler_comes_first() -> None:
    methods = seed_methods(30, 3)
    assert [method.name for method in methods] == list(SEEDS)
    assert [method.seed for method in methods] == [0, 1, 2]
    assert {method.forecast for method in methods} == {EXACT}


def test_calibration_finds_fewer_passes_within_its_bounds_and_draws_what_the_animator_draws() -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.animator import AnimationSettings, PortraitAnimator
    from followyouremoji.portraits import Identity, Performance, draw_portrait
    from tests.small_model import small_model
    from tests.test_preparation import drawn_motion, landmarks_of

    model = small_model()
    animator = PortraitAnimator(model)
    drawing = draw_portrait(Identity.random(np.random.default_rng(3), "person"), Performance(), 96)
    prepared = animator.prepare(drawing.picture, drawn_motion(3), portrait_landmarks=landmarks_of(drawing))
    clip = read_clip(model, prepared, model.config.guidance_scale)
    denoised = denoise_clip(model, clip, EXACT, 8, 0, model.config.shared_noise)
    frames = list(animator.frames(prepared, AnimationSettings(steps=8, speed="exact")))
    np.testing.assert_array_equal(finished_frames(model, clip, denoised.latents), np.stack(frames))
    assert (denoised.tally.computed, denoised.tally.told) == (8, 0)

    heard: list[Trial] = []
    calibration = Calibration(steps=8, bound=0.05)
    presets = calibrate(model, [prepared], calibration, heard.append)
    assert [preset.speed for preset in presets] == ["lossless", "fast", "fastest"]
    passes = [sum(preset.forecast.computes(8)) for preset in presets]
    assert passes == sorted(passes, reverse=True)
    assert passes[-1] < 8
    for preset in presets:
        if preset.forecast != EXACT:
            again = denoise_clip(model, clip, preset.forecast, 8, 0, model.config.shared_noise).latents
            assert (again - denoised.latents).norm() / denoised.latents.norm() <= calibration.bounds[
                preset.speed
            ]
    assert [trial.passes for trial in heard] == sorted(trial.passes for trial in heard)


def test_a_clip_longer_than_the_model_s_window_is_drawn_in_windows() -> None:
    """As the animator's windows are, though it could not be seen at once."""
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.animator import AnimationSettings, PortraitAnimator
    from followyouremoji.portraits import Identity, Performance, draw_portrait
    from tests.small_model import small_model
    from tests.test_preparation import drawn_motion, landmarks_of

    model = small_model()
    model = replace(model, config=replace(model.config, window=4))
    drawing = draw_portrait(Identity.random(np.random.default_rng(3), "person"), Performance(), 96)
    animator = PortraitAnimator(model)
    prepared = animator.prepare(drawing.picture, drawn_motion(6), portrait_landmarks=landmarks_of(drawing))
    clip = read_clip(model, prepared, model.config.guidance_scale)
    denoised = denoise_clip(model, clip, EXACT, 2, 0, model.config.shared_noise)
    settings = AnimationSettings(steps=2, speed="exact", long_clips="windows")
    frames = list(animator.frames(prepared, settings))
    np.testing.assert_array_equal(finished_frames(model, clip, denoised.latents), np.stack(frames))


@pytest.mark.parametrize(
    ("changed", "said"), [({"steps": 3}, "5 to 1000"), ({"bound": 0.0}, "bound must be")]
)
def test_a_calibration_that_makes_no_sense_is_refused(changed: dict[str, float], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Calibration(**changed)


def test_at_full_size_methods_are_run_and_their_passes_counted() -> None:
    methods = [
        SpeedMethod("exact", EXACT, 6),
        SpeedMethod("told", Forecast.from_text("what=modules,interval=2"), 6),
        SpeedMethod("fewer", Forecast.from_text("passes=2"), 6),
    ]
    rows = list(measure_full_size(methods, 2, 8, dtype=torch.bfloat16, config=tiny_network()))
    assert [(row.method, row.computed, row.told) for row in rows] == [
        ("exact", 6, 0),
        ("told", 3, 3),
        ("fewer", 2, 0),
    ]
    assert rows[1].megabytes > rows[0].megabytes == 0
    assert [row.told_share is None for row in rows] == [True, False, True]
    assert "| told | 3 |" in table(rows)
    assert json.loads(json.dumps(asdict(rows[1])))["took"]["clock"] > 0


def test_where_guidance_is_told_passes_are_not_compared() -> None:
    """Those that are computed may lack a half."""
    method = SpeedMethod("told", Forecast.from_text("what=velocity,interval=2,guidance_interval=2"), 6)
    row = next(measure_full_size([method], 2, 8, dtype=torch.bfloat16, config=tiny_network()))
    assert (row.told, row.told_share) == (3, None)


def test_full_size_methods_are_compared_with_passes_beside_them() -> None:
    row = TimedMethod("v", 30, 5, 25, 0.0, Took(25.0, 12.0), Took(2.0, 2.0), 0.04)
    assert row.faster == 30 * 2 / 25
    assert row.faster_on_processor == 30 * 2 / 12


def test_candidates_of_a_calibration_are_distinct_and_any_model_s_is_among_them() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 4, 3, 4, 4, generator=generator)
    velocities = [torch.randn(noise.shape, generator=generator) for _ in range(12)]
    for passes in (2, 5, 11):
        forecasts = [forecast for _, forecast in candidates(passes, [Record.of(noise, velocities)])]
        assert len(set(forecasts)) == len(forecasts)
        assert curved_forecast(passes, 12) in forecasts


def test_a_forecast_written_out_is_a_speed() -> None:
    from followyouremoji.benchmark.methods import Sampling

    sampling = Sampling().changed("steps=30&speed=what=clean,interval=2")
    assert Forecast.from_text(sampling.settings().speed) == Forecast(what="clean", interval=2)
    with pytest.raises(SettingsError, match="no speed 'warp'"):
        Sampling().changed("speed=warp")


def test_what_is_timed_alone_needs_nothing_that_draws() -> None:
    """The denoiser and the full-size layout are measured on machines with a GPU that lack the rest."""
    without = "import sys; sys.modules['skia'] = sys.modules['mediapipe'] = None; "
    for module in ("full_size_speed", "tables"):
        subprocess.run(
            [sys.executable, "-c", f"{without}import followyouremoji.benchmark.{module}"], check=True
        )


def test_presets_of_any_model_are_compared_where_others_were_found() -> None:
    names = [method.name for method in compared_methods(None, COMPARISON | GUIDANCE, None, 30)]
    assert len(names) == len(set(names)) == 3 + len(COMPARISON) + len(GUIDANCE)
    found = Acceleration("", ())
    names = [method.name for method in compared_methods(None, COMPARISON, found, 30)]
    assert names[:4] == ["lossless", "fast", "fastest", "lossless, not calibrated"]
