"""From noise to the latents of a clip of any length, segment by segment, on one device or several (Sec. 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.sampling.denoising import Tally, denoise
from followyouremoji.sampling.dispatch import in_order
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.progressive import Batch, Segment
from followyouremoji.sampling.settings import SamplingSettings, check_fits
from followyouremoji.sampling.windows import Window

LandmarkFeatures = Callable[[tuple[int, ...]], Tensor]
"""Frame indices to their landmark features (1, first block width, frames, height, width), on the first device."""

Progress = Callable[[int, int], None]
"""Called after each step of each window of each batch with the steps done and the steps in all; never by two threads at
once."""

GROUP = 16  # frames whose landmark features are computed at once
KEPT_BYTES = 1 << 30  # of landmark features, where windows lie side by side; more are computed in each step


class LatentStore(Protocol):
    """Keeps the latents of finished batches, so that a broken run can go on. Called by several threads where there are
    several devices."""

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
class Inputs:
    """What a batch is drawn from: the landmark features of a window of it, and the frames that are there already,
    shaped as the latents."""

    features: Callable[[Window], Tensor]
    known: Tensor
    mask: Tensor  # (batch, 1, frames, 1, 1)


class Reading:
    """What batches read of each other, kept from when it is there until the last of them has read it.

    Landmark features are asked for in groups, the frames that one batch is the first to read. So their values do not
    depend on which batches a broken run finds done: a network gives other last bits for a frame that is with others.
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
    replicas: Sequence[Replica],
    landmark_features: LandmarkFeatures,
    frames: int,
    shape: tuple[int, int, int],
    settings: SamplingSettings,
    progress: Progress | None = None,
    *,
    cuts: Sequence[int] = (),
    loop: bool = False,
    store: LatentStore | None = None,
    tally: Tally | None = None,
) -> Iterator[Tensor]:
    """Draw the latents of a clip, yielded in the order of its frames as soon as they are complete.

    Equal seeds give equal latents, on every device up to rounding; and bit for bit on any number of equal devices, and
    where a broken run goes on from its `store`.

    Parameters
    ----------
    replicas : the model on one device or more; batches that do not wait for each other run side by side.
    landmark_features : gives the features of some frames, those of one of the `reading_groups` or of a window, never
        for two threads at once. A run that is not broken asks for each frame once, or once a window where a scene has
        many.
    frames : of the clip.
    shape : (channels, height, width) of a frame's latents.
    cuts, loop : see `progressive.plan`.
    store : keeps finished batches and is asked for each before it is made.
    tally : counts the passes of batches that are finished.

    Yields
    ------
    (n, channels, height, width) float32 on the first device, the next n frames; all of them together are the clip.

    Raises
    ------
    SettingsError : settings that the denoiser cannot be sampled with.
    """
    first = replicas[0]
    check_fits(settings, first.denoiser.config)
    batches = settings.batches(frames, cuts, loop)
    windows = [settings.windows(length(batch)) for batch in batches]
    steps = StepCount(settings.steps * sum(map(len, windows)), progress)
    reading = Reading(batches, landmark_features, settings.steps)
    counting = Lock()

    def prepare(number: int, worker: Replica) -> Callable[[], Tensor]:
        batch = batches[number]
        stored = None if store is None else store.load(number)
        if stored is not None:
            reading.skip(batch)
            steps.add(settings.steps * len(windows[number]))
            return lambda: stored.to(first.device)
        inputs = reading.take(batch, windows[number], shape)

        def work() -> Tensor:
            own = Tally()
            latents = draw(worker, batch, inputs, windows[number], settings, steps.add, own)
            if store is not None:
                store.save(number, latents)
            if tally is not None:
                with counting:
                    tally.add(own)
            return latents.to(first.device)

        return work

    waiting: dict[int, Tensor] = {}  # frames that are drawn before an earlier one
    complete = 0
    for number, latents in in_order(
        len(batches),
        replicas,
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
        settings.cache,
        tally,
    )


def reading_groups(batches: Sequence[Batch]) -> dict[int, tuple[int, ...]]:
    """For every frame those that are prepared for the networks together with it: first read by the same batch, at most
    `GROUP`."""
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
