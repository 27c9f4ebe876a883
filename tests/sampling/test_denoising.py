"""Laws of forecast steps, on small random networks."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from followyouremoji.networks import AppearanceNet, Denoiser
from followyouremoji.sampling.denoising import Tally, denoise, follow_path
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.recorded import Record, mean_error, replayed
from followyouremoji.sampling.forecast.search import best_steps
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.schedule import clock_times, ddim_schedule, solver_schedule
from followyouremoji.sampling.windows import Window, overlapping_windows
from tests.sampling.test_sampler import randomised
from tests.tiny import tiny_network

SHAPE, FRAMES, STEPS = (4, 8, 8), 6, 8
TOLD = (
    "what=velocity,interval=3",
    "what=clean,order=2,interval=3,correct=true",
    "what=inside,depth=0,interval=3",
    "what=inside,depth=2,interval=3",
    "what=modules,basis=taylor,interval=3",
    "what=inside,depth=2,threshold=0.3",
    "what=velocity,interval=3,guidance_interval=2",
    "what=inside,depth=2,threshold=0.3,guidance_interval=2",
)


class Clip:
    """A tiny denoiser and what it reads; counts its passes."""

    def __init__(self) -> None:
        config = tiny_network()
        self.denoiser = randomised(Denoiser(config), 0)
        appearance_net = randomised(AppearanceNet(config), 1)
        generator = torch.Generator().manual_seed(2)
        portrait, tokens = (
            torch.randn(1, *SHAPE, generator=generator),
            torch.randn(1, 5, 6, generator=generator),
        )
        with torch.inference_mode():
            appearance = appearance_net(portrait, tokens)
            self.conditionings = {
                scale: condition_clip(self.denoiser, tokens, appearance, scale) for scale in (1.0, 2.0)
            }
        self.features = torch.randn(1, 16, FRAMES, *SHAPE[1:], generator=generator)
        self.passes = 0
        self.denoiser.register_forward_pre_hook(lambda *_: self.count())

    def count(self) -> None:
        self.passes += 1

    @torch.inference_mode()
    def draw(
        self,
        forecast: Forecast,
        guidance: float = 1.0,
        seeds: tuple[int, ...] = (0,),
        known: Tensor | None = None,
        windows: list[Window] | None = None,
        tally: Tally | None = None,
        step_done: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Latents of a segment for each seed, drawn at once; the first frame known where `known` (1, 4, 1, 8, 8) is
        given."""
        self.passes = 0
        noise = torch.cat([frame_noise(seed, range(FRAMES), SHAPE) for seed in seeds])
        there, mask = torch.zeros_like(noise), torch.zeros(len(seeds), 1, FRAMES, 1, 1)
        if known is not None:
            there[:, :, :1], mask[:, :, :1] = known, 1
        features = self.features.expand(len(seeds), -1, -1, -1, -1)
        conditioning: ClipConditioning = self.conditionings[guidance]
        return denoise(
            self.denoiser,
            conditioning,
            lambda window: features[:, :, window.start : window.stop],
            noise,
            there,
            mask,
            windows or overlapping_windows(FRAMES, FRAMES, 0),
            STEPS,
            step_done,
            forecast,
            tally,
        )


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip()


@pytest.mark.parametrize("text", TOLD)
def test_where_every_pass_is_due_the_result_is_exact(clip: Clip, text: str) -> None:
    everything = Forecast.from_text(f"{text},computed={'+'.join(map(str, range(STEPS)))},guidance_interval=1")
    torch.testing.assert_close(
        clip.draw(everything, guidance=2.0), clip.draw(EXACT, guidance=2.0), atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("text", TOLD[:5])
def test_forecasts_save_passes_and_stay_near(clip: Clip, text: str) -> None:
    tally = Tally()
    told, exact = clip.draw(Forecast.from_text(text), tally=tally), clip.draw(EXACT)
    assert (tally.computed, tally.told) == (3, 5)
    assert tally.bytes > 0
    away = (told - exact).norm() / exact.norm()
    assert 1e-6 < away < 0.5 * (clip.draw(EXACT, seeds=(1,)) - exact).norm() / exact.norm()


def test_a_whole_prediction_that_is_told_costs_no_pass(clip: Clip) -> None:
    clip.draw(Forecast.from_text("what=velocity,interval=3"))
    assert clip.passes == 3


@pytest.mark.parametrize("text", TOLD)
def test_segments_drawn_at_once_are_those_drawn_alone(clip: Clip, text: str) -> None:
    forecast = Forecast.from_text(text)
    together = clip.draw(forecast, seeds=(0, 1))
    if forecast.threshold is None:
        alone = torch.cat([clip.draw(forecast, seeds=(seed,)) for seed in (0, 1)])
        torch.testing.assert_close(together, alone, atol=2e-4, rtol=0)
    assert torch.isfinite(together).all()


@pytest.mark.parametrize("text", [*TOLD, "solver=dpm++,passes=4", "solver=unipc,passes=4", "passes=4"])
def test_known_frames_stay_and_windows_cover_the_others(clip: Clip, text: str) -> None:
    known = torch.randn(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    done: list[None] = []
    windows = overlapping_windows(FRAMES, 4, 2)
    drawn = clip.draw(
        Forecast.from_text(text), 2.0, known=known, windows=windows, step_done=lambda: done.append(None)
    )
    assert torch.equal(drawn[:, :, :1], known)
    assert torch.isfinite(drawn).all()
    assert len(done) == STEPS * len(windows)


def test_clean_latents_again_are_ddim_with_fewer_steps() -> None:
    """With the clean prediction held, several DDIM steps are one; so reuse of it is DDIM with fewer steps, exactly so
    where steps divide 1000."""
    generator = torch.Generator().manual_seed(0)
    noise, target = torch.randn(2, 64, generator=generator, dtype=torch.float64)

    def drawn(steps: int, forecast: Forecast) -> Tensor:
        schedule = ddim_schedule(steps)
        signal = schedule.alphas_cumprod[schedule.timesteps].double()

        def predict(
            step: int, latents: Tensor
        ) -> Tensor:  # a network that is nearer to the target the later it is
            clean = target * signal[step]
            return (signal[step].sqrt() * latents - clean) / (1 - signal[step]).sqrt()

        return follow_path(predict, noise, schedule, clock_times(schedule, "angle"), forecast)

    reuse = Forecast(what="clean", order=0, interval=4)
    torch.testing.assert_close(drawn(20, reuse), drawn(5, EXACT), atol=1e-6, rtol=0)


def test_correction_makes_smooth_velocities_nearly_exact() -> None:
    """Of a velocity that is a quadratic of the clock, steps that are interpolated between passes are exact,
    extrapolated ones at the beginning are not."""
    schedule = ddim_schedule(20)
    clock = clock_times(schedule, "angle")
    noise = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def predict(step: int, latents: Tensor) -> Tensor:
        return torch.full_like(latents, 1.0 - clock[step] + 0.3 * clock[step] ** 2)

    def drawn(forecast: Forecast) -> Tensor:
        return follow_path(predict, noise, schedule, clock, forecast)

    told = Forecast(what="velocity", order=2, computed=(0, 7, 14, 19))
    corrected = Forecast(what="velocity", order=2, computed=(0, 7, 14, 19), correct=True)
    exact = drawn(EXACT)
    assert (drawn(corrected) - exact).abs().max() < 0.1 * (drawn(told) - exact).abs().max()


@pytest.mark.parametrize("solver", ["dpm++", "unipc"])
def test_multistep_solvers_reach_what_the_network_always_predicts(solver: str) -> None:
    """A network that knows the clean latents brings every solver there, though the first step is pure noise (log-SNR of
    minus infinity)."""
    noise, target = torch.randn(
        2, 1, 4, 2, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    schedule = solver_schedule(solver, 6)
    signal = schedule.alphas_cumprod[schedule.timesteps].double()
    assert schedule.timesteps[0] == 999

    def predict(step: int, latents: Tensor) -> Tensor:
        return (signal[step].sqrt() * latents - target) / (1 - signal[step]).sqrt()

    drawn = follow_path(predict, noise, schedule, np.zeros(6), EXACT)
    torch.testing.assert_close(drawn, target, atol=2e-3, rtol=0)


def test_guidance_acts_in_its_share_of_the_schedule_alone(clip: Clip) -> None:
    nowhere = clip.draw(Forecast(guidance_from=1.0), guidance=2.0)
    torch.testing.assert_close(nowhere, clip.draw(EXACT, guidance=1.0))
    clip.draw(Forecast(guidance_from=0.5), guidance=2.0)
    assert clip.passes == STEPS + STEPS // 2


def test_the_guidance_difference_is_told_in_every_other_pass(clip: Clip) -> None:
    told = clip.draw(Forecast(guidance_interval=2), guidance=2.0)
    assert clip.passes == STEPS + STEPS // 2
    exact, unguided = clip.draw(EXACT, guidance=2.0), clip.draw(EXACT, guidance=1.0)
    assert (told - exact).norm() < 0.3 * (unguided - exact).norm()


@pytest.mark.parametrize(
    ("text", "unguided"), [("guidance_interval=2", STEPS // 2), ("guidance_from=0.5", STEPS // 2)]
)
def test_passes_that_a_gate_has_computed_count_for_guidance(clip: Clip, text: str, unguided: int) -> None:
    """A gate that no forecast passes computes every step, as without a gate."""
    shut = clip.draw(Forecast.from_text(f"what=inside,depth=2,order=0,threshold=0,{text}"), guidance=2.0)
    assert clip.passes == STEPS + unguided
    torch.testing.assert_close(shut, clip.draw(Forecast.from_text(text), guidance=2.0), atol=2e-5, rtol=0)


def test_clocks_fall_or_rise_steadily_and_are_finite_at_pure_noise() -> None:
    schedule = ddim_schedule(30)
    for clock, sign in (("angle", -1), ("timestep", -1), ("log-snr", 1)):
        times = clock_times(schedule, clock)
        assert np.isfinite(times).all()
        assert (sign * np.diff(times) > 0).all()
    assert clock_times(schedule, "angle")[0] == pytest.approx(np.pi / 2)


def test_records_foretell_what_a_run_makes_of_velocities_that_stay(clip: Clip) -> None:
    """The exact run's record gives back its own result, and ranks a better forecast before a worse one."""
    velocities: list[Tensor] = []
    noise = frame_noise(0, range(FRAMES), SHAPE)
    with torch.inference_mode():
        exact = denoise(
            clip.denoiser, clip.conditionings[1.0], lambda window: clip.features, noise, torch.zeros_like(noise),
            torch.zeros(1, 1, FRAMES, 1, 1), overlapping_windows(FRAMES, FRAMES, 0), STEPS, lambda: None,
            observe=velocities.append,
        )  # fmt: skip
    rows = torch.stack([noise, *velocities]).double()
    made = torch.einsum("s,s...->...", torch.from_numpy(replayed(EXACT, STEPS)), rows)
    torch.testing.assert_close(made.float(), exact, atol=1e-4, rtol=0)

    records = [Record.of(noise, velocities)]
    errors = [mean_error(Forecast(what="velocity", interval=n), records) for n in (1, 2, 4)]
    assert errors[0] == pytest.approx(0, abs=1e-6)
    assert errors[1] < errors[2]
    kind = Forecast(what="velocity", order=2, correct=True)
    error, found = best_steps(kind, 4, records)
    assert len(found.computed or ()) == 4
    assert error <= mean_error(
        Forecast(what="velocity", order=2, correct=True, computed=(0, 2, 4, 6)), records
    )
