"""From noise to the latents of a clip of any length, segment by segment, on one device or several (Sec. 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from followyouremoji.errors import SettingsError
from followyouremoji.networks import Denoiser
from followyouremoji.sampling.denoising import Tally, denoise
from followyouremoji.sampling.dispatch import in_order
from followyouremoji.sampling.forecast.settings import EXACT, Forecast
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.progressive import Batch, Segment, batched, chain, plan
from followyouremoji.sampling.windows import OVERLAP, TILE, Blend, Window, overlapping_windows

Strategy = Literal["keyframes", "windows", "tiles", "chain"]
LandmarkFeatures = Callable[[tuple[int, ...]], Tensor]
"""Frame indices to their landmark features (1, first block width, frames, height, width), on the denoiser's device."""

Progress = Callable[[int, int], None]
"""Called after each step of each window of each batch with the steps done and the steps in all; never by two threads at once."""

TRAINING_STEPS = 1000
GROUP = 16  # frames whose landmark features are computed at once
KEPT_BYTES = (
    1 << 30
)  # of landmark features, where many windows lie side by side; more are computed again in each step


class LatentStore(Protocol):
    """Keeps the latents of finished batches, so that a broken run can go on. Called by several threads where there are several devices."""

    def load(self, number: int) -> Tensor | None:
        """Those of batch `number`, exactly as they were saved; None where there are none yet."""

    def save(self, number: int, latents: Tensor) -> None:
        """Keep them: (batch, channels, frames, height, width) float32 on any device."""


@dataclass(frozen=True)
class Replica:
    """A denoiser with what its frames read of the portrait, on one device."""

    denoiser: Denoiser
    conditioning: ClipConditioning

    @property
    def device(self) -> torch.device:
        return self.denoiser.conv_in.weight.device


@dataclass(frozen=True)
class SamplingSettings:
    """How latents are drawn.

    Attributes
    ----------
    steps : of DDIM, 1 to 1000.
    seed : of the noise, 0 or more.
    shared_noise : in [0, 1], the part of the noise that all frames have in common; see `frame_noise`.
    window : frames that the denoiser sees at once, at least 3.
    strategy : for clips longer than a window: "keyframes", the progressive strategy (paper layout only); "windows",
        overlapping windows whose predictions are averaged; "tiles", windows of at most 16 with Gaussian weights; "chain", one window
        after the other, each going on from the last frame of the one before (paper layout only).
    batch : segments of equal length that the denoiser takes at once, 1 or more. Windows and tiles have no segments to join.

    forecast : which passes of the denoiser are told from others instead of computed; as it stands, none.

    Raises SettingsError for values outside these.
    """

    steps: int = 30
    seed: int = 0
    shared_noise: float = 0.0
    window: int = 16
    strategy: Strategy = "keyframes"
    batch: int = 1
    forecast: Forecast = EXACT

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= TRAINING_STEPS:
            raise SettingsError(f"The number of steps must be 1 to {TRAINING_STEPS}, not {self.steps}.")
        if self.seed < 0:
            raise SettingsError(f"The seed must be 0 or a positive whole number, not {self.seed}.")
        if not 0.0 <= self.shared_noise <= 1.0:
            raise SettingsError(f"The shared part of the noise must be 0 to 1, not {self.shared_noise}.")
        if self.window < 3:
            raise SettingsError(f"A window must have at least 3 frames, not {self.window}.")
        if self.batch < 1:
            raise SettingsError(f"At least 1 segment is made at once, not {self.batch}.")
        if self.strategy not in get_args(Strategy):
            raise SettingsError(
                f"Unknown strategy {self.strategy!r} for long clips: use {', '.join(get_args(Strategy))}."
            )

    @property
    def scenes_at_once(self) -> bool:
        """Whether the frames of a scene, however many, are sampled together: their windows overlap in every step."""
        return self.strategy in ("windows", "tiles")

    def batches(self, frames: int, cuts: Sequence[int] = (), loop: bool = False) -> list[Batch]:
        """The parts of a clip that are made one after the other, each of one or several segments; parameters as of `plan`.

        Only keyframes join a loop's end to its beginning. The scenes of a clip are apart in every strategy.
        """
        if self.strategy == "keyframes":
            return batched(plan(frames, self.window, cuts, loop), self.batch)
        if self.strategy == "chain":
            return batched(chain(frames, self.window, cuts), self.batch)
        return batched(plan(frames, max(frames, 1), cuts), 1)  # a scene at once

    def windows(self, frames: int) -> list[Window]:
        """The windows that the frames of one segment are denoised in, side by side; a single one where they fit."""
        length = min(TILE, self.window) if self.strategy == "tiles" else self.window
        blend: Blend = "gaussian" if self.strategy == "tiles" else "even"
        return overlapping_windows(frames, length, min(OVERLAP, length // 2), blend)


def check_fits(settings: SamplingSettings, denoiser: Denoiser) -> None:
    """Raise SettingsError where a denoiser cannot be sampled with these settings."""
    config = denoiser.config
    if settings.strategy in ("keyframes", "chain") and config.layout != "paper":
        raise SettingsError(
            "This model was not trained to go on from known frames: use the strategy 'windows' or 'tiles' for long clips."
        )
    if config.motion_modules and settings.window > config.max_frames:
        raise SettingsError(
            f"This model sees at most {config.max_frames} frames at once, not {settings.window}: use a smaller window."
        )


@dataclass(frozen=True)
class Inputs:
    """What a batch is drawn from: the landmark features of a window of it, and the frames that are there already, shaped as the latents."""

    features: Callable[[Window], Tensor]
    known: Tensor
    mask: Tensor  # (batch, 1, frames, 1, 1)


class Reading:
    """What batches read of each other, kept from when it is there until the last of them has read it.

    Landmark features are asked for in groups, the frames that one batch is the first to read. So their values do not depend on which
    batches a broken run finds done: a network gives other last bits for a frame that is with others.
    """

    def __init__(self, batches: Sequence[Batch], landmark_features: LandmarkFeatures, steps: int) -> None:
        self._groups = reading_groups(batches)
        self._landmark_features = landmark_features
        self._steps = steps
        self._readers = Counter(frame for batch in batches for frame in frames_of(batch))
        self._features: dict[int, Tensor] = {}
        self._latents: dict[int, Tensor] = {}
        self._one_at_a_time = Lock()

    @property
    def held(self) -> int:
        """How many frames' features or latents are kept."""
        return len(self._features.keys() | self._latents.keys())

    def there(self, batch: Batch) -> bool:
        """Whether all known frames of a batch are drawn."""
        return all(frame in self._latents for segment in batch for frame in segment.read)

    def take(self, batch: Batch, windows: Sequence[Window], shape: tuple[int, int, int]) -> Inputs:
        """What a batch reads; once a batch. `shape` (channels, height, width) of a frame's latents."""
        features = self._in_one_window(batch) if len(windows) == 1 else self._in_many_windows(batch[0])
        known = torch.zeros(len(batch), shape[0], length(batch), *shape[1:])
        for row, segment in enumerate(batch):
            for place, frame in enumerate(segment.frames):
                if segment.known[place]:
                    known[row, :, place] = self._latents[frame]
        mask = torch.tensor([segment.known for segment in batch], dtype=known.dtype)
        self.skip(batch)
        return Inputs(features, known, mask[:, None, :, None, None])

    def _in_one_window(self, batch: Batch) -> Callable[[Window], Tensor]:
        for frame in frames_of(batch):
            if frame not in self._features:
                group = self._groups[frame]
                self._features.update(zip(group, self._landmark_features(group).unbind(dim=2), strict=True))
        joined = torch.cat([torch.stack([self._features[f] for f in s.frames], dim=2) for s in batch])
        return lambda window: joined

    def _in_many_windows(self, segment: Segment) -> Callable[[Window], Tensor]:
        """Read window by window, when the denoiser comes to it: those of a whole clip may not fit in memory."""
        kept: dict[tuple[int, ...], Tensor] = {}

        def features(window: Window) -> Tensor:
            frames = segment.frames[window.start : window.stop]
            if frames in kept:
                return kept[frames]
            with self._one_at_a_time:
                read = self._landmark_features(frames)
            if self._steps > 1 and (len(kept) + 1) * read.nbytes <= KEPT_BYTES:
                kept[frames] = read
            return read

        return features

    def skip(self, batch: Batch) -> None:
        """A batch will not read any more."""
        self._readers.subtract(frames_of(batch))
        for kept in (self._features, self._latents):
            for frame in [frame for frame in kept if self._readers[frame] == 0]:
                del kept[frame]

    def give(self, batch: Batch, latents: Tensor) -> None:
        """What a batch made, (batch, channels, frames, height, width)."""
        self._latents.update((f, value) for f, value in new_frames(batch, latents) if self._readers[f] > 0)


class StepCount:
    """Counts steps, of whichever device, and tells."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress
        self._lock = Lock()

    def add(self, steps: int = 1) -> None:
        with self._lock:
            self._done += steps
            if self._progress is not None and steps:
                self._progress(self._done, self._total)


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    conditioning: ClipConditioning,
    landmark_features: LandmarkFeatures,
    frames: int,
    shape: tuple[int, int, int],
    settings: SamplingSettings,
    progress: Progress | None = None,
    *,
    cuts: Sequence[int] = (),
    loop: bool = False,
    replicas: Sequence[Replica] = (),
    store: LatentStore | None = None,
    tally: Tally | None = None,
) -> Iterator[Tensor]:
    """Draw the latents of a clip, yielded in the order of its frames as soon as they are complete.

    Equal seeds give equal latents, on every device up to rounding; and bit for bit on any number of equal devices, and where a broken run
    goes on from its `store`.

    Parameters
    ----------
    conditioning : what the frames read of the portrait, from `condition_clip`.
    landmark_features : gives the features of some frames, those of one of the `reading_groups` or of a window, never for two threads at
        once. A run that is not broken asks for each frame once, or once a window where a scene has many.
    frames : of the clip.
    shape : (channels, height, width) of a frame's latents.
    cuts, loop : see `progressive.plan`.
    replicas : the same model on more devices; batches that do not wait for each other run side by side.
    store : keeps finished batches and is asked for each before it is made.
    tally : counts the passes of batches that are finished.

    Yields
    ------
    (n, channels, height, width) float32 on the denoiser's device, the next n frames; all of them together are the clip.

    Raises
    ------
    SettingsError : settings that this denoiser cannot be sampled with.
    """
    check_fits(settings, denoiser)
    batches = settings.batches(frames, cuts, loop)
    windows = [settings.windows(length(batch)) for batch in batches]
    steps = StepCount(settings.steps * sum(map(len, windows)), progress)
    reading = Reading(batches, landmark_features, settings.steps)
    workers = [Replica(denoiser, conditioning), *replicas]
    counting = Lock()

    def prepare(number: int, worker: Replica) -> Callable[[], Tensor]:
        batch = batches[number]
        stored = None if store is None else store.load(number)
        if stored is not None:
            reading.skip(batch)
            steps.add(settings.steps * len(windows[number]))
            return lambda: stored.to(workers[0].device)
        inputs = reading.take(batch, windows[number], shape)

        def work() -> Tensor:
            own = Tally()
            latents = draw(worker, batch, inputs, windows[number], settings, steps.add, own)
            if store is not None:
                store.save(number, latents)
            if tally is not None:
                with counting:
                    tally.add(own)
            return latents.to(workers[0].device)

        return work

    waiting: dict[int, Tensor] = {}  # frames that are drawn before an earlier one
    complete = 0
    for number, latents in in_order(
        len(batches),
        workers,
        ready=lambda number: reading.there(batches[number]),
        prepare=prepare,
        finished=lambda number, latents: reading.give(batches[number], latents),
    ):
        waiting.update(new_frames(batches[number], latents))
        piece = []
        while complete in waiting:
            piece.append(waiting.pop(complete))
            complete += 1
        if piece:
            yield torch.stack(piece)


@torch.inference_mode()
def draw(
    worker: Replica,
    batch: Batch,
    inputs: Inputs,
    windows: Sequence[Window],
    settings: SamplingSettings,
    step_done: Callable[[], None],
    tally: Tally,
) -> Tensor:
    """The latents of a batch, drawn on one device: (batch, channels, frames, height, width) float32."""
    shape = (inputs.known.shape[1], inputs.known.shape[3], inputs.known.shape[4])
    noise = [frame_noise(settings.seed, s.frames, shape, settings.shared_noise) for s in batch]
    return denoise(
        worker.denoiser,
        worker.conditioning,
        lambda window: inputs.features(window).to(worker.device),
        torch.cat(noise).to(worker.device),
        inputs.known.to(worker.device),
        inputs.mask.to(worker.device),
        windows,
        settings.steps,
        step_done,
        settings.forecast,
        tally,
    )


def reading_groups(batches: Sequence[Batch]) -> dict[int, tuple[int, ...]]:
    """For every frame those that are prepared for the networks together with it: first read by the same batch, at most `GROUP`."""
    groups: dict[int, tuple[int, ...]] = {}
    for batch in batches:
        unread = [frame for frame in frames_of(batch) if frame not in groups]
        for start in range(0, len(unread), GROUP):
            group = tuple(unread[start : start + GROUP])
            groups.update(dict.fromkeys(group, group))
    return groups


def frames_of(batch: Batch) -> tuple[int, ...]:
    """All frames of a batch, each once."""
    return tuple(dict.fromkeys(frame for segment in batch for frame in segment.frames))


def length(batch: Batch) -> int:
    """How many frames each of its segments has."""
    return len(batch[0].frames)


def new_frames(batch: Batch, latents: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The frames that a batch made, each with its latents (channels, height, width)."""
    for segment, drawn in zip(batch, latents, strict=True):
        for frame, known, value in zip(segment.frames, segment.known, drawn.unbind(dim=1), strict=True):
            if not known:
                yield frame, value
