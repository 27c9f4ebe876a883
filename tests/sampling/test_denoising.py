"""Laws of the sampler's steps, computed and forecast, on small random networks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from followyouremoji.networks import AppearanceNet, Denoiser
from followyouremoji.sampling.cache import VelocityForecast
from followyouremoji.sampling.denoising import Solver, denoise
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.presets import CacheSettings, ForecastSettings, StageRules, TaylorSettings
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.windows import Window, overlapping_windows
from tests.sampling.test_sampler import randomised
from tests.tiny import tiny_network

SHAPE, FRAMES, STEPS = (4, 8, 8), 6, 8
FORECAST, TAYLOR = ForecastSettings(passes=3), TaylorSettings((StageRules(1.0, 3 / STEPS),))
caches = pytest.mark.parametrize("cache", [FORECAST, TAYLOR])


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
        cache: CacheSettings | None,
        guidance: float = 1.0,
        seeds: tuple[int, ...] = (0,),
        known: Tensor | None = None,
        windows: list[Window] | None = None,
        step_done: Callable[[bool], None] = lambda computed: None,
        region: Tensor | None = None,
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
            cache,
            step_done,
            region,
        )


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip()


EVERY_STEP = TaylorSettings((StageRules(0.5, 0, cut=1), StageRules(1.0, 0)))


@pytest.mark.parametrize("cache", [ForecastSettings(passes=STEPS), EVERY_STEP])
def test_where_every_pass_is_computed_the_result_is_exact(clip: Clip, cache: CacheSettings) -> None:
    torch.testing.assert_close(
        clip.draw(cache, guidance=2.0), clip.draw(None, guidance=2.0), atol=2e-5, rtol=0
    )


def test_a_cache_of_every_step_changes_no_bit(clip: Clip) -> None:
    assert torch.equal(clip.draw(EVERY_STEP, region=someplace(1)), clip.draw(None))


@caches
def test_caches_save_passes_and_stay_near(clip: Clip, cache: CacheSettings) -> None:
    computed: list[bool] = []
    near, exact = clip.draw(cache, step_done=computed.append), clip.draw(None)
    assert (computed.count(True), computed.count(False)) == (3, 5)
    away = (near - exact).norm() / exact.norm()
    assert 1e-6 < away < 0.5 * (clip.draw(None, seeds=(1,)) - exact).norm() / exact.norm()


def test_a_velocity_that_is_forecast_costs_no_pass(clip: Clip) -> None:
    clip.draw(FORECAST)
    assert clip.passes == 3


@caches
def test_segments_drawn_at_once_are_those_drawn_alone(clip: Clip, cache: CacheSettings) -> None:
    together = clip.draw(cache, seeds=(0, 1))
    alone = torch.cat([clip.draw(cache, seeds=(seed,)) for seed in (0, 1)])
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=0)


def someplace(samples: int) -> Tensor:
    """A region that moves from frame to frame, and is another one for each sample."""
    return (
        torch.rand(samples, 1, FRAMES, *SHAPE[1:], generator=torch.Generator().manual_seed(8)) > 0.5
    ).float()


def orders(inside: int, outside: int, cut: int = 0) -> TaylorSettings:
    return TaylorSettings((StageRules(1.0, 3 / STEPS, inside, outside, cut),))


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_inside_the_region_features_are_predicted_and_outside_reused(clip: Clip, cut: int) -> None:
    """At each depth of the U, to the bit: everything inside is the order of the inside, nothing inside that of the
    outside, and something between is neither."""
    drawn = {
        share: clip.draw(orders(1, 0, cut), 2.0, region=torch.full((1, 1, FRAMES, *SHAPE[1:]), share))
        for share in (0.0, 1.0)
    }
    predicted, reused = (clip.draw(orders(order, order, cut), 2.0) for order in (1, 0))
    assert torch.equal(drawn[1.0], predicted)
    assert torch.equal(drawn[0.0], reused)
    mixed = clip.draw(orders(1, 0, cut), 2.0, region=someplace(1))
    assert min((mixed - predicted).norm(), (mixed - reused).norm()) > 1e-4 * predicted.norm()


def test_each_segment_drawn_at_once_has_its_own_region(clip: Clip) -> None:
    region, windows = someplace(2), overlapping_windows(FRAMES, 4, 2)
    together = clip.draw(orders(1, 0), 2.0, (0, 1), windows=windows, region=region)
    for seed in (0, 1):
        alone = clip.draw(orders(1, 0), 2.0, (seed,), windows=windows, region=region[seed : seed + 1])
        torch.testing.assert_close(together[seed : seed + 1], alone, atol=2e-4, rtol=0)
    swapped = clip.draw(orders(1, 0), 2.0, (0,), windows=windows, region=region[1:])
    assert (swapped - together[:1]).abs().max() > 1e-3


def test_layers_outside_the_cut_are_computed_in_every_step(clip: Clip) -> None:
    """DeepCache's split."""
    last, middle = clip.denoiser.up_blocks[-1].resnets[-1], clip.denoiser.mid_block.resnets[0]
    calls: list[object] = []
    hooks = [one.register_forward_pre_hook(lambda module, _: calls.append(module)) for one in (last, middle)]
    for cut, expected in ((0, (3, 3)), (1, (STEPS, 3))):
        calls.clear()
        clip.draw(orders(0, 0, cut))
        assert (calls.count(last), calls.count(middle)) == expected
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("cache", [None, FORECAST, TAYLOR])
def test_known_frames_stay_and_windows_cover_the_others(clip: Clip, cache: CacheSettings | None) -> None:
    known = torch.randn(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    done: list[bool] = []
    windows = overlapping_windows(FRAMES, 4, 2)
    drawn = clip.draw(cache, 2.0, known=known, windows=windows, step_done=done.append)
    assert torch.equal(drawn[:, :, :1], known)
    assert torch.isfinite(drawn).all()
    assert len(done) == STEPS * len(windows)


def test_steps_between_computed_ones_are_taken_again(clip: Clip) -> None:
    """Of a velocity that is a quadratic of the clock, steps that are interpolated between passes are exact; those of
    the first interval, for which two passes alone were known, are not."""
    schedule = ddim_schedule(20)
    clock = schedule.angles
    noise = torch.randn(16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def drawn(*computed: int) -> Tensor:
        solver = Solver(
            noise,
            schedule,
            VelocityForecast(computed, clock),
            torch.zeros_like(noise),
            torch.zeros_like(noise),
        )
        for step in range(20):
            if step in computed:
                solver.computed(step, torch.full_like(noise, 1.0 - clock[step] + 0.3 * clock[step] ** 2))
            solver.advance(step)
        return solver.latents

    exact = drawn(*range(20))
    begun = (0, 1, 2)  # where the polynomial is known, everything after is exact
    torch.testing.assert_close(drawn(*begun, 9), exact, atol=1e-9, rtol=0)
    corrected, extrapolated = drawn(0, 7, 14, 19), drawn(0, 7)
    assert (corrected - exact).abs().max() < 0.1 * (extrapolated - exact).abs().max()
