"""Which passes of a model need to be computed: found on records of exact runs, then truly run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from followyouremoji.benchmark.methods import framed
from followyouremoji.benchmark.speed import Clip, clip_noise, denoise_clip, read_clip
from followyouremoji.benchmark.suites import SuiteSettings, drawn_suite
from followyouremoji.checkpoints.acceleration import Preset
from followyouremoji.checkpoints.model import Model
from followyouremoji.errors import SettingsError
from followyouremoji.preparation import Prepared
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.placement import curved_forecast
from followyouremoji.sampling.forecast.recorded import Record, mean_error
from followyouremoji.sampling.forecast.search import ranked

CLIPS_SEED = 950_000  # of the drawn clips: neither a training's nor the benchmark's
CLIPS_SIZE = 256
BOUNDS = {"lossless": 0.02, "fast": 0.04, "fastest": 0.12}
"""How far latents may be from the exact ones, as a share of their norm. Another seed of the bundled model is 0.95 away;
up to 0.03 its figures stayed well within what a seed changes (`docs/performance.md`)."""

TRIED = 3  # of the best forecasts of each number of passes are truly run
FEWEST_STEPS = 5  # there is nothing to win with fewer


@dataclass(frozen=True)
class Calibration:
    """What is searched.

    Attributes
    ----------
    steps : of DDIM, the exact result.
    bound : for "lossless", in the unit of `BOUNDS`; the others' grow with it.

    Raises SettingsError for values that cannot be used.
    """

    steps: int = 30
    bound: float = BOUNDS["lossless"]

    def __post_init__(self) -> None:
        if not FEWEST_STEPS <= self.steps <= 1000:
            raise SettingsError(
                f"Calibrate {FEWEST_STEPS} to 1000 steps, not {self.steps}: fewer are always computed."
            )
        if not 0 < self.bound < 1:
            raise SettingsError(f"The bound must be above 0 and below 1, not {self.bound}.")

    @property
    def bounds(self) -> dict[str, float]:
        return {speed: bound * self.bound / BOUNDS["lossless"] for speed, bound in BOUNDS.items()}


@dataclass(frozen=True)
class Trial:
    """A forecast that was run: `away`, the mean distance of its latents from the exact ones as a share of their norm,
    `foretold` what the records said, and how many times faster it was by the processor's time."""

    forecast: Forecast
    passes: int
    foretold: float
    away: float
    faster: float


def drawn_clips(model: Model, clips: int, cache_folder: Path) -> Iterator[Prepared]:
    """Drawn portraits that perform, of identities kept for calibration, framed for a model."""
    settings = SuiteSettings("self", clips, CLIPS_SIZE, seed=CLIPS_SEED)
    suite = drawn_suite(settings, cache_folder)
    return (framed(suite.case(index), model.config) for index in range(clips))


def calibrate(
    model: Model, clips: Sequence[Prepared], calibration: Calibration, tried: Callable[[Trial], None]
) -> list[Preset]:
    """Find the cheapest forecast within each bound, on clips; `tried` hears of every run.

    Numbers of passes are gone through from few to many; of each, the forecasts that are best on the records are run,
    and the one that a model gets that is not calibrated. A speed for which nothing is found computes everything.
    """
    config = model.config
    read = [read_clip(model, clip, config.guidance_scale) for clip in clips]
    exact = [exact_run(model, clip, calibration.steps) for clip in read]
    records = [run.record for run in exact]
    found: dict[str, Trial] = {}
    for passes in range(2, calibration.steps):
        open_bounds = [bound for speed, bound in calibration.bounds.items() if speed not in found]
        trials = []
        for foretold, forecast in candidates(passes, records):
            if foretold > max(open_bounds):  # records flatter
                continue
            trials.append(trial(model, read, exact, forecast, foretold, calibration.steps))
            tried(trials[-1])
        if not trials:
            continue
        best = min(trials, key=lambda one: one.away)
        for speed, bound in calibration.bounds.items():
            if best.away <= bound:
                found.setdefault(speed, best)
        if len(found) == len(BOUNDS):
            break
    return [
        Preset(
            speed,
            calibration.steps,
            found[speed].forecast if speed in found else EXACT,
            measured(found.get(speed)),
        )
        for speed in BOUNDS
    ]


def candidates(passes: int, records: Sequence[Record]) -> list[tuple[float, Forecast]]:
    """What is run of so many passes, with errors on the records: the best there, and the one that any model gets."""
    best = ranked(passes, records)[:TRIED]
    general = curved_forecast(passes, records[0].steps)
    if general in [forecast for _, forecast in best]:
        return best
    return [*best, (mean_error(general, records), general)]


def measured(found: Trial | None) -> dict[str, float]:
    if found is None:
        return {}
    return {"passes": found.passes, "away": round(found.away, 4), "faster": round(found.faster, 2)}


@dataclass(frozen=True)
class ExactRun:
    latents: Tensor
    record: Record
    processor_seconds: float


def exact_run(model: Model, clip: Clip, steps: int) -> ExactRun:
    velocities: list[Tensor] = []
    shared = model.config.shared_noise
    denoised = denoise_clip(model, clip, EXACT, steps, 0, shared, velocities.append)
    record = Record.of(clip_noise(model, clip, 0, shared), velocities)
    return ExactRun(denoised.latents, record, denoised.processor_seconds)


def trial(
    model: Model,
    clips: Sequence[Clip],
    exact: Sequence[ExactRun],
    forecast: Forecast,
    foretold: float,
    steps: int,
) -> Trial:
    """Run a forecast on all clips."""
    away, seconds, passes = [], 0.0, 0
    for clip, run in zip(clips, exact, strict=True):
        denoised = denoise_clip(model, clip, forecast, steps, 0, model.config.shared_noise)
        away.append(float((denoised.latents - run.latents).norm() / run.latents.norm()))
        seconds += denoised.processor_seconds
        passes = denoised.tally.computed
    faster = sum(run.processor_seconds for run in exact) / seconds
    return Trial(forecast, passes, foretold, float(np.mean(away)), faster)
