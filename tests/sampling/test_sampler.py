"""Laws of sampling, on small random networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.networks import AppearanceNet, Denoiser, NetworkConfig, QFormerConfig
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip, predict_velocity
from followyouremoji.sampling.known_frames import join_known
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.presets import CacheSettings, ForecastSettings, StageRules, TaylorSettings
from followyouremoji.sampling.progressive import Segment
from followyouremoji.sampling.sampler import Sampled, Tally, known_latents, sample
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.settings import SamplingSettings

SHAPE = (4, 8, 8)
SIZES = {
    "latent_channels": 4,
    "block_channels": (32, 64),
    "norm_groups": 8,
    "heads": 2,
    "layers_per_block": 1,
    "context_width": 32,
    "image_source": "latents",
    "image_width": 6,
}


def randomised(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Weights without the zeros that new motion modules start from, so that every frame matters to every other."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()
        elif parameter.dim() > 1:
            parameter.data = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5
    return module.eval()


class Case:
    """A denoiser of one layout, a portrait and landmark features by frame."""

    def __init__(self, layout: str, **sizes: object) -> None:
        qformer = QFormerConfig(layers=1, queries=4, width=32, heads=2) if layout == "paper" else None
        config = NetworkConfig(layout=layout, qformer=qformer, **{**SIZES, **sizes})
        self.denoiser = randomised(Denoiser(config), 0)
        self.appearance_net = randomised(AppearanceNet(config), 1)
        generator = torch.Generator().manual_seed(2)
        self.reference = torch.randn(1, *SHAPE, generator=generator)
        self.tokens = torch.randn(1, 5, 6, generator=generator)
        self.features = torch.randn(1, 32, 64, *SHAPE[1:], generator=generator)

    @torch.inference_mode()
    def conditioning(self, guidance_scale: float) -> ClipConditioning:
        appearance = self.appearance_net(self.reference, self.tokens)
        return condition_clip(self.denoiser, self.tokens, appearance, guidance_scale)

    def reader(self, guidance_scale: float = 1.0) -> Reader:
        return Reader(self, guidance_scale)

    def chunks(self, frames: int, guidance_scale: float = 1.0, progress=None, **settings) -> list[Tensor]:
        settings = SamplingSettings(**{"steps": 2, "window": 4, **settings})
        pieces = sample([self.reader(guidance_scale)], frames, SHAPE, settings, progress)
        return [piece.latents for piece in pieces]

    def clip(self, frames: int, guidance_scale: float = 1.0, **settings) -> Tensor:
        return torch.cat(self.chunks(frames, guidance_scale, **settings))


class Reader:
    """What the sampler reads of a case, see `ClipReader`."""

    device = torch.device("cpu")

    def __init__(self, case: Case, guidance_scale: float) -> None:
        self.denoiser, self.conditioning, self.case = case.denoiser, case.conditioning(guidance_scale), case

    def warped(self, frames: Sequence[int]) -> None:
        return None

    def features(self, frames: Sequence[int], warped: None) -> Tensor:
        return self.case.features[:, :, list(frames)]

    def region(self, frames: Sequence[int]) -> Tensor:
        """A column of the picture that goes with the frame's number."""
        columns = torch.arange(SHAPE[2]) == torch.tensor(list(frames))[:, None] % SHAPE[2]
        return columns[None, None, :, None].float().expand(-1, -1, -1, SHAPE[1], -1)


@pytest.fixture(scope="module")
def paper() -> Case:
    return Case("paper")


@pytest.fixture(scope="module")
def released() -> Case:
    return Case("released")


@pytest.mark.parametrize("strategy", ["keyframes", "windows", "tiles", "chain"])
@pytest.mark.parametrize("frames", [1, 4, 5, 11])
def test_every_frame_comes_once_and_the_seed_decides(paper: Case, frames: int, strategy: str) -> None:
    first = paper.clip(frames, strategy=strategy)
    assert first.shape == (frames, *SHAPE)
    assert torch.isfinite(first).all()
    assert torch.equal(first, paper.clip(frames, strategy=strategy))
    assert not torch.allclose(first, paper.clip(frames, strategy=strategy, seed=1), atol=0.1)


def test_a_long_clip_streams_in_order_piece_by_piece(paper: Case) -> None:
    """17 frames by windows of 4: two levels of keyframes; the first piece comes before most segments are made."""
    done: list[int] = []
    settings = SamplingSettings(steps=1, window=4)
    stream = sample([paper.reader()], 17, SHAPE, settings, lambda n, _: done.append(n))
    pieces, steps_before = [], []
    for piece in stream:
        pieces.append(piece)
        steps_before.append(len(done))
    assert len(pieces) > 4
    assert steps_before == sorted(set(steps_before))
    assert steps_before[1] <= len(done) / 2
    assert sum(len(piece) for piece in pieces) == 17


def test_known_frames_stay_as_they_were_made(paper: Case) -> None:
    """5 frames by windows of 4 begin with keyframes 0, 2, 4: the same that a clip of just these frames would have."""
    whole = paper.clip(5)
    settings = SamplingSettings(steps=2, window=4)
    # The same three keyframes drawn on their own, by hand: noise and landmarks of frames 0, 2, 4, none known.
    with torch.inference_mode():
        conditioning = paper.conditioning(1.0)
        latents = frame_noise(settings.seed, (0, 2, 4), SHAPE)
        nothing, mask = torch.zeros_like(latents), torch.zeros(1, 1, 3, 1, 1)
        schedule = ddim_schedule(2)
        for step, timestep in enumerate(schedule.timesteps):
            velocity = predict_velocity(
                paper.denoiser,
                latents,
                nothing,
                mask,
                timestep,
                paper.features[:, :, [0, 2, 4]],
                conditioning,
            )
            latents = schedule.step(latents, velocity, step)
    torch.testing.assert_close(whole[[0, 2, 4]], latents[0].transpose(0, 1))


def test_frames_between_keyframes_depend_on_them(paper: Case) -> None:
    """Frame 1 of 5 is drawn from the known frames 0 and 2: other landmarks of frame 4 reach it only through them."""
    before = paper.clip(5)
    features = paper.features
    try:
        paper.features = features.clone()
        paper.features[:, :, 4] += 1.0
        after = paper.clip(5)
    finally:
        paper.features = features
    assert not torch.allclose(before[0], after[0], atol=1e-3)
    assert not torch.allclose(before[1], after[1], atol=1e-3)


def test_without_motion_modules_frames_do_not_depend_on_windows() -> None:
    """Each frame stands alone, its noise too: neither the strategy nor the window can matter."""
    single = Case("released", motion_modules=False)
    clips = [
        single.clip(9, strategy=strategy, window=window)
        for strategy, window in (("windows", 4), ("tiles", 6))
    ]
    alone = single.clip(9, strategy="windows", window=9)
    for clip in clips:
        torch.testing.assert_close(clip, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("frames", "strategy", "steps", "passes"),
    [(4, "keyframes", 3, 1), (5, "keyframes", 2, 3), (10, "windows", 3, 4), (1, "tiles", 1, 1)],
)
def test_progress_counts_each_step_of_each_window(
    paper: Case, frames: int, strategy: str, steps: int, passes: int
) -> None:
    calls: list[tuple[int, int]] = []
    paper.chunks(frames, steps=steps, strategy=strategy, progress=lambda *call: calls.append(call))
    total = steps * passes
    assert calls == [(done, total) for done in range(1, total + 1)]


def test_guidance_of_scale_1_is_the_conditional_pass_alone(released: Case) -> None:
    assert released.conditioning(1.0).nothing is None
    with torch.inference_mode():
        latents, known = frame_noise(0, range(3), SHAPE), torch.zeros(1, 4, 3, 8, 8)
        arguments = (
            released.denoiser,
            latents,
            known,
            torch.zeros(1, 1, 3, 1, 1),
            torch.tensor(500),
            released.features[:, :, :3],
        )
        one = predict_velocity(*arguments, released.conditioning(1.0))
        guided = released.conditioning(3.0)
        three = predict_velocity(*arguments, guided)
        without = released.denoiser(latents, torch.tensor([500]), released.features[:, :, :3], guided.nothing)
    torch.testing.assert_close(three, without + 3.0 * (one - without))
    assert not torch.allclose(one, without, atol=1e-2)


def test_known_latents_reach_the_denoiser_of_the_paper_layout(paper: Case) -> None:
    noisy, known = frame_noise(0, range(3), SHAPE), frame_noise(1, range(3), SHAPE)
    mask = torch.tensor([1.0, 0.0, 1.0])[None, None, :, None, None]
    features, timestep = paper.features[:, :, :3], torch.tensor(300)
    with torch.inference_mode():
        conditioning = paper.conditioning(1.0)
        result = predict_velocity(paper.denoiser, noisy, known, mask, timestep, features, conditioning)
        joined = join_known(noisy, known, mask)
        expected = paper.denoiser(joined, timestep[None], features, conditioning.portrait)
    assert torch.equal(result, expected)


def test_half_precision_follows_full_precision(released: Case) -> None:
    full = released.clip(3, strategy="windows")
    half = Case("released")
    half.denoiser.half()
    half.appearance_net.half()
    half.reference, half.tokens = half.reference.half(), half.tokens.half()
    half.features = half.features.half()
    result = half.clip(3, strategy="windows")
    assert result.dtype == torch.float32
    assert (result - full).abs().mean() < 0.05 * full.std()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps must be 1 to 1000, not 0"),
        ({"steps": 1001}, "steps must be 1 to 1000"),
        ({"seed": -1}, "seed"),
        ({"shared_noise": 1.5}, "noise must be 0 to 1"),
        ({"shared_noise": float("nan")}, "noise must be 0 to 1"),
        ({"window": 2}, "at least 3 frames"),
        ({"batch": 0}, "At least 1 part of a clip"),
        ({"strategy": "magic"}, "Unknown strategy 'magic'"),
    ],
)
def test_settings_that_cannot_be_used(values: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SamplingSettings(**values)


class Kept:
    """A store in memory, which may forget."""

    def __init__(self) -> None:
        self.segments: dict[int, Tensor] = {}
        self.saved: list[int] = []

    def load(self, number: int) -> Tensor | None:
        return self.segments.get(number)

    def save(self, number: int, latents: Tensor) -> None:
        self.saved.append(number)
        self.segments[number] = latents.clone()


def drawn(
    case: Case,
    frames: int,
    settings: SamplingSettings,
    guidance: float = 1.0,
    devices: int = 1,
    **more: object,
) -> Tensor:
    """Latents of a clip, made on so many devices, each a copy of a case's denoiser on the CPU."""
    readers = [case.reader(guidance) for _ in range(devices)]
    return torch.cat([piece.latents for piece in sample(readers, frames, SHAPE, settings, **more)])


@pytest.mark.parametrize("strategy", ["keyframes", "chain"])
def test_segments_made_at_once_are_those_made_one_by_one(paper: Case, strategy: str) -> None:
    alone = paper.clip(30, strategy=strategy)
    together = paper.clip(30, strategy=strategy, batch=3)
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("strategy", ["keyframes", "windows"])
def test_several_devices_give_what_one_gives(paper: Case, strategy: str) -> None:
    settings = SamplingSettings(steps=2, window=4, batch=2, strategy=strategy)
    calls: list[tuple[int, int]] = []
    alone = drawn(paper, 30, settings, cuts=(11,))
    shared = drawn(paper, 30, settings, devices=3, cuts=(11,), progress=lambda *call: calls.append(call))
    torch.testing.assert_close(shared, alone, atol=1e-5, rtol=0)
    done, totals = zip(*calls, strict=True)
    assert list(done) == sorted(done)
    assert {done[-1]} == set(totals)


def test_an_error_on_one_of_several_devices_ends_the_run(paper: Case) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        drawn(paper, 30, SamplingSettings(steps=2, window=4), devices=2, progress=stop)


@pytest.mark.parametrize("lost", [(), (0,), (3, 4, 5, 6, 7, 8, 9), (2, 5), tuple(range(20))])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_broken_run_goes_on_where_it_was(paper: Case, lost: tuple[int, ...], batch: int) -> None:
    """Within rounding, whichever segments were finished; and of batches that were, none is made again."""
    settings = SamplingSettings(steps=1, window=4, batch=batch)
    kept = Kept()
    whole = drawn(paper, 22, settings, store=kept)
    every = sorted(kept.saved)
    assert every == list(range(sum(map(len, settings.levels(22)))))
    kept.saved.clear()
    for number in lost:
        kept.segments.pop(number, None)
    calls: list[tuple[int, int]] = []
    again = drawn(paper, 22, settings, store=kept, progress=lambda *call: calls.append(call))
    torch.testing.assert_close(whole, again, atol=1e-4, rtol=0)
    assert set(lost) & set(every) <= set(kept.saved)
    assert len(kept.saved) <= batch * len(lost)
    assert calls[-1][0] == calls[-1][1] == len(every)


def test_kept_latents_of_another_shape_are_made_anew(paper: Case) -> None:
    settings, kept = SamplingSettings(steps=1, window=4), Kept()
    whole = drawn(paper, 8, settings, store=kept)
    for number, latents in kept.segments.items():
        kept.segments[number] = latents[:, ::2] if number % 2 else latents[..., :1]
    torch.testing.assert_close(drawn(paper, 8, settings, store=kept), whole)


@pytest.mark.parametrize(
    ("cache", "guidance", "more"),
    [
        (ForecastSettings(passes=3), 1.0, {"cuts": (9,)}),
        (
            TaylorSettings((StageRules(1.0, 1 / 3, inside=1, outside=0),)),
            2.0,
            {"cuts": (4, 15), "loop": True},
        ),
    ],
)
def test_forecasts_resume_with_keyframes(
    paper: Case, cache: CacheSettings, guidance: float, more: dict[str, object]
) -> None:
    """With guidance, scenes, loops and several segments at once; and a forecast is not exact."""
    settings = SamplingSettings(steps=6, window=4, batch=2, cache=cache)
    kept, tally = Kept(), Tally()
    whole = drawn(paper, 22, settings, guidance, store=kept, tally=tally, **more)
    segments = len(kept.segments)
    assert (tally.computed, tally.forecast) == pytest.approx((3 * segments, 3 * segments), abs=2 * segments)
    assert tally.computed + tally.forecast <= 6 * segments
    assert not torch.equal(whole, drawn(paper, 22, replace(settings, cache=None), guidance, **more))
    for number in (1, 3, 4):
        del kept.segments[number]
    again = drawn(paper, 22, settings, guidance, store=kept, **more)
    torch.testing.assert_close(whole, again, atol=1e-4, rtol=1e-4)


def test_scenes_do_not_see_each_other(paper: Case) -> None:
    """Two scenes in one clip are two clips, but for the noise, which belongs to a frame; here all frames share it."""
    settings = SamplingSettings(steps=1, window=4, shared_noise=1.0)
    both = drawn(paper, 12, settings, cuts=(5,))
    torch.testing.assert_close(both[:5], drawn(paper, 5, settings))
    features = paper.features
    try:
        paper.features = features[:, :, 5:]
        alone = drawn(paper, 7, settings)
    finally:
        paper.features = features
    torch.testing.assert_close(both[5:], alone)


def test_the_end_of_a_loop_depends_on_its_beginning(paper: Case) -> None:
    """The last gap is filled between its keyframe and frame 0: turned by half its length, a loop's segments are the
    same."""
    settings = SamplingSettings(steps=1, window=8, shared_noise=1.0)
    features = paper.features
    try:
        loop = drawn(paper, 6, settings, loop=True)
        paper.features = features.clone()
        paper.features[:, :, 0] += 1.0
        other = drawn(paper, 6, settings, loop=True)
    finally:
        paper.features = features
    assert not torch.allclose(loop[5], other[5], atol=1e-3)


def test_known_latents_are_those_that_were_made() -> None:
    made = {frame: Sampled(torch.full(SHAPE, float(frame)), None) for frame in (2, 6)}
    batch = (Segment((2, 3, 6), (True, False, True)),)
    known = known_latents(batch, made, SHAPE)
    assert known.shape == (1, 4, 3, 8, 8)
    assert known[0, 0, :, 0, 0].tolist() == [2.0, 0.0, 6.0]


def test_values_that_are_not_finite_name_the_denoiser() -> None:
    broken = Case("paper")
    broken.denoiser.conv_out.weight.data[0, 0, 0, 0] = torch.nan
    with pytest.raises(WeightsError, match="the denoiser returns values that are not finite"):
        broken.clip(3)


def test_settings_that_a_model_cannot_be_used_with(released: Case, paper: Case) -> None:
    with pytest.raises(SettingsError, match="'windows' or 'tiles'"):
        released.chunks(5, strategy="keyframes")
    with pytest.raises(SettingsError, match="at most 32 frames"):
        paper.chunks(5, window=33)


def test_frames_that_follow_others_keep_their_warps_where_all_have_them() -> None:
    one, other = torch.zeros(2, 4, 1, 1), torch.ones(3, 4, 1, 1)
    both = Sampled(one, one).followed_by(Sampled(other, -other))
    assert both.warped is not None
    assert torch.equal(both.latents, torch.cat([one, other]))
    assert torch.equal(both.warped, torch.cat([one, -other]))
    for first, second in ((one, None), (None, other), (None, None)):
        assert Sampled(one, first).followed_by(Sampled(other, second)).warped is None


def test_a_pass_is_forecast_where_fewer_are_computed_than_there_are_steps() -> None:
    cache = ForecastSettings(passes=4)
    assert [SamplingSettings(steps=steps, cache=cache).forecasts for steps in (3, 4, 5)] == [
        False,
        False,
        True,
    ]
    assert not SamplingSettings(steps=30).forecasts
