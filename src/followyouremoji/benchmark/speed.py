"""Speed against quality: the denoising of drawn clips, timed, by every preset, beside what other seeds make of the same
clips.

A preset is *lossless* where its figures differ from the exact result's by less than another seed's do: of the two, a
user could not tell which was forecast. That is asked of the suite's means and, stricter, of the differences case by
case.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from followyouremoji.animator import PortraitAnimator
from followyouremoji.benchmark.metrics import measure
from followyouremoji.benchmark.observation import Observer
from followyouremoji.benchmark.suite import Case
from followyouremoji.benchmark.systems import prepare_case
from followyouremoji.checkpoints.model import Model
from followyouremoji.decoding import DECODED_AT_ONCE, Decoder, in_groups
from followyouremoji.face.timeline import Timeline
from followyouremoji.generation import ModelReader, read_portrait
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.presets import (
    PRESETS,
    CacheSettings,
    ForecastSettings,
    StageRules,
    TaylorSettings,
)
from followyouremoji.sampling.sampler import Sampled, Tally, sample
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.settings import AnimationSettings

JUDGED = ("l1_face", "ssim", "landmark_error", "appearance", "flicker")
"""The figures that a lossless preset keeps, by the names of `metrics.METRICS`."""

EXACT = "exact"


@dataclass(frozen=True)
class SpeedMethod:
    """A way to draw the clips, by a short name."""

    name: str
    cache: CacheSettings | None
    steps: int
    seed: int = 0


LAYER_CACHES: Mapping[str, TaylorSettings] = {
    "one rule": TaylorSettings(
        (StageRules(0.1, 0, inside=1, outside=1), StageRules(1.0, 1 / 6, inside=1, outside=1))
    ),
    "by region": TaylorSettings(
        (StageRules(0.1, 0, inside=1, outside=0), StageRules(1.0, 1 / 6, inside=1, outside=0))
    ),
    "by stage": TaylorSettings(
        (StageRules(2 / 3, 1 / 6, inside=2, outside=2), StageRules(1.0, 0.1, inside=2, outside=2))
    ),
    "DeepCache": TaylorSettings((StageRules(1.0, 1 / 6, inside=0, outside=0, cut=1),)),
    "DeepCache, predicted": TaylorSettings((StageRules(1.0, 1 / 6, inside=1, outside=1, cut=1),)),
}
"""Other caches of layer features, to compare with the preset "paper". DeepCache's split (2024) is LightCache's (2025),
too, which moves what is kept out of a GPU's memory."""


def seed_methods(steps: int, seeds: int) -> list[SpeedMethod]:
    """The exact sampler with several seeds; the first is what others are compared with."""
    names = [EXACT, *(f"{EXACT}, seed {seed}" for seed in range(1, seeds))]
    return [SpeedMethod(name, None, steps, seed) for seed, name in enumerate(names)]


def compared_methods(
    steps: int, passes: Sequence[int] = (), fewer_steps: Sequence[int] = (), layers: bool = False
) -> list[SpeedMethod]:
    """The presets, forecasts of other numbers of passes, plain DDIM with fewer steps, and with `layers` the
    `LAYER_CACHES`."""
    return [
        *(SpeedMethod(name, cache, steps) for name, cache in PRESETS.items() if cache is not None),
        *(SpeedMethod(f"{number} passes", ForecastSettings(number), steps) for number in passes),
        *(SpeedMethod(f"DDIM, {fewer} steps", None, fewer) for fewer in fewer_steps),
        *(SpeedMethod(name, cache, steps) for name, cache in LAYER_CACHES.items() if layers),
    ]


@dataclass(frozen=True)
class Denoised:
    """What was sampled, what it took (seconds by the clock and of the processor), and how many passes of a window were
    computed."""

    sampled: Sampled
    seconds: float
    processor_seconds: float
    computed: int


class ReadClip:
    """A clip that is read once, so that only the denoising is left to time; a `sampling.sampler.ClipReader`."""

    @torch.inference_mode()
    def __init__(self, model: Model, prepared: Prepared, guidance_scale: float) -> None:
        frames = range(len(prepared))
        conditioning = read_portrait(model, prepared, guidance_scale)
        reader = ModelReader(model, prepared, Timeline.straight(len(prepared)), conditioning)
        self.denoiser, self.conditioning, self.device = reader.denoiser, reader.conditioning, reader.device
        self._model, self._prepared = model, prepared
        self._warped = reader.warped(frames)
        self._features = reader.features(frames, self._warped)
        self._region = reader.region(frames)

    def warped(self, frames: Sequence[int]) -> Tensor | None:
        return None if self._warped is None else self._warped[list(frames)]

    def features(self, frames: Sequence[int], warped: Tensor | None) -> Tensor:
        return self._features[:, :, list(frames)]

    def region(self, frames: Sequence[int]) -> Tensor:
        return self._region[:, :, list(frames)]

    def denoised(self, method: SpeedMethod, shared_noise: float) -> Denoised:
        """Denoise the clip, in overlapping windows where it is longer than the model's."""
        settings = SamplingSettings(
            method.steps, method.seed, shared_noise, self._model.config.window, "windows", cache=method.cache
        )
        shape = (self._model.config.network.latent_channels, *self._features.shape[-2:])
        tally = Tally()
        finish_queue(self.device)
        begun, on_processor = time.perf_counter(), time.process_time()
        (sampled,) = sample([self], len(self._prepared), shape, settings, tally=tally)
        finish_queue(self.device)
        seconds, processor_seconds = time.perf_counter() - begun, time.process_time() - on_processor
        return Denoised(sampled, seconds, processor_seconds, tally.computed)

    @torch.inference_mode()
    def finished(self, sampled: Sampled) -> np.ndarray:
        """The frames that a user gets, uint8 (frames, height, width, 3)."""
        frames: list[np.ndarray] = []
        decoder, prepared = Decoder(self._model), self._prepared
        for group in in_groups([sampled], DECODED_AT_ONCE, whole=True):
            coming = range(len(frames), len(frames) + len(group))
            warps = [prepared.warped_picture(one) for one in coming] if prepared.reads_coded_warp else None
            for frame, (result, coded) in zip(coming, decoder(group, warps), strict=True):
                frames.append(prepared.finish(result, frame, coded))
        return np.stack(frames)


@dataclass(frozen=True)
class SpeedRow:
    """One method on one case: `figures` by the names of `metrics.METRICS`; `away` the distance of its latents from the
    exact ones of seed 0, as a share of their norm."""

    method: str
    case: str
    seconds: float
    processor_seconds: float
    computed: int
    away: float
    figures: dict[str, float]


def measure_case(
    animator: PortraitAnimator,
    case: Case,
    methods: Sequence[SpeedMethod],
    observer: Observer,
    guidance_scale: float,
    shared_noise: float,
) -> Iterator[tuple[SpeedRow, np.ndarray]]:
    """Each method's row and frames, one method after the other on the same clip, so that whatever else the machine does
    strikes them alike.

    The first method is the exact one that the others' latents are compared with. The true result of the case is known.
    """
    prepared = prepare_case(animator, case, AnimationSettings(paste_back=True))
    clip = ReadClip(animator.model, prepared, guidance_scale)
    clip.denoised(SpeedMethod("", None, steps=1), shared_noise)  # warms up
    exact: Tensor | None = None
    for method in methods:
        denoised = clip.denoised(method, shared_noise)
        latents = denoised.sampled.latents
        exact = latents if exact is None else exact
        frames = clip.finished(denoised.sampled)
        row = SpeedRow(
            method.name,
            case.name,
            denoised.seconds,
            denoised.processor_seconds,
            denoised.computed,
            float((latents - exact).norm() / exact.norm()),
            {one.metric: one.value for one in measure(observer.observe(case, frames))},
        )
        yield row, frames


@dataclass(frozen=True)
class Judgement:
    """A figure of a method against the exact one's: the difference of the means and the mean absolute difference case
    by case, and the same between seeds.

    Between seeds it is the mean over their pairs.
    """

    figure: str
    mean: float
    of_means: float
    of_cases: float
    seeds_of_means: float
    seeds_of_cases: float

    @property
    def kept_in_mean(self) -> bool:
        return abs(self.of_means) <= self.seeds_of_means

    @property
    def kept_by_case(self) -> bool:
        return self.of_cases <= self.seeds_of_cases


def judge(rows: Sequence[SpeedRow], method: str, seeds: Sequence[str]) -> list[Judgement]:
    """Every figure of `JUDGED` of a method against the first of `seeds`, which are the exact methods of several seeds.

    Cases in which one of the two has no figure are left out.
    """
    judgements = []
    for figure in JUDGED:
        values = {
            name: np.array([row.figures[figure] for row in rows if row.method == name])
            for name in (method, *seeds)
        }
        between = [_differences(values[a], values[b]) for a, b in combinations(seeds, 2)]
        own = _differences(values[method], values[seeds[0]])
        judgements.append(
            Judgement(
                figure,
                float(np.nanmean(values[method])),
                float(own.mean()),
                float(np.abs(own).mean()),
                float(np.mean([abs(pair.mean()) for pair in between])),
                float(np.mean([np.abs(pair).mean() for pair in between])),
            )
        )
    return judgements


def _differences(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    differences = values - others
    return differences[np.isfinite(differences)]


def is_lossless(judgements: Sequence[Judgement]) -> bool:
    """Whether every figure is kept, both in the mean and case by case."""
    return all(one.kept_in_mean and one.kept_by_case for one in judgements)


def finish_queue(device: torch.device) -> None:
    """Wait for an Nvidia GPU, so that a clock tells what its work takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
