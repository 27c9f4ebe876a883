"""From noise to the latents of a clip of any length: the plan's levels, each a map over segments (Sec. 3.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from followyouremoji.networks import Denoiser
from followyouremoji.networks.finite import finite
from followyouremoji.sampling.denoising import denoise
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.noise import frame_noise
from followyouremoji.sampling.presets import CacheSettings, TaylorSettings
from followyouremoji.sampling.progressive import Level, Segment, batched
from followyouremoji.sampling.settings import SamplingSettings, check_fits
from followyouremoji.sampling.windows import Window

Progress = Callable[[int, int], None]
"""Called after each step of each batch with the steps of all windows done and in all; never by two threads at once."""

Denoise = Callable[..., Tensor]
"""Takes the frames of a segment from noise to clean latents: `denoising.denoise`, or another with its parameters."""

KEPT_BYTES = 1 << 30
"""Of landmark features of windows that lie side by side; those of further windows are computed in each step."""


class ClipReader(Protocol):
    """A denoiser with what it reads of a portrait and of the frames of a clip, on one device."""

    denoiser: Denoiser
    conditioning: ClipConditioning
    device: torch.device

    def warped(self, frames: Sequence[int]) -> Tensor | None:
        """Latents of the warped portraits of some frames (n, channels, height, width); None where the model does not
        generate relative to them."""

    def features(self, frames: Sequence[int], warped: Tensor | None) -> Tensor:
        """Their landmark features (1, first block width, n, height, width)."""

    def region(self, frames: Sequence[int]) -> Tensor:
        """1 around their landmarks and 0 elsewhere: (1, 1, n, height, width) of their latents."""


class LatentStore(Protocol):
    """Keeps the latents of finished segments, so that a broken run can go on. Called by several threads where there are
    several devices."""

    def load(self, number: int) -> Tensor | None:
        """Those of segment `number` of the plan, as they were saved; None where there are none yet. Those of another
        shape count as none."""

    def save(self, number: int, latents: Tensor) -> None:
        """Keep them: (channels, frames, height, width) float32 on any device."""


@dataclass(frozen=True)
class Sampled:
    """Latents of frames (n, channels, height, width) float32, and those of the portrait warped by their landmarks where
    they are relative to them."""

    latents: Tensor
    warped: Tensor | None

    def __getitem__(self, frames: int | slice) -> Sampled:
        return Sampled(self.latents[frames], None if self.warped is None else self.warped[frames])

    def __len__(self) -> int:
        return len(self.latents)

    def followed_by(self, later: Sampled) -> Sampled:
        """These frames and later ones."""
        warped = None
        if self.warped is not None and later.warped is not None:
            warped = torch.cat([self.warped, later.warped])
        return Sampled(torch.cat([self.latents, later.latents]), warped)

    def to(self, device: torch.device | str) -> Sampled:
        return Sampled(self.latents.to(device), None if self.warped is None else self.warped.to(device))

    @staticmethod
    def stacked(frames: Sequence[Sampled]) -> Sampled:
        """Single frames (channels, height, width) as one."""
        warped = [frame.warped for frame in frames if frame.warped is not None]
        return Sampled(
            torch.stack([frame.latents for frame in frames]), torch.stack(warped) if warped else None
        )


@dataclass
class Tally:
    """Passes of the denoiser over a window that were computed, and that were forecast."""

    computed: int = 0
    forecast: int = 0


class StepCount:
    """Counts the steps of all windows, whichever thread takes them."""

    def __init__(self, total: int, progress: Progress | None, tally: Tally | None) -> None:
        self._done, self._total, self._progress = 0, total, progress
        self._tally = tally or Tally()
        self._lock = Lock()

    def add(self, windows: int, computed: bool) -> None:
        """A step of so many windows is done, by passes that were computed or forecast."""
        with self._lock:
            self._tally.computed += windows * computed
            self._tally.forecast += windows * (not computed)
            self._add(windows)

    def skip(self, steps: int) -> None:
        """Steps that an earlier run took."""
        with self._lock:
            self._add(steps)

    def _add(self, steps: int) -> None:
        self._done += steps
        if self._progress is not None:
            self._progress(self._done, self._total)


@torch.inference_mode()
def sample(
    readers: Sequence[ClipReader],
    frames: int,
    shape: tuple[int, int, int],
    settings: SamplingSettings,
    progress: Progress | None = None,
    *,
    cuts: Sequence[int] = (),
    loop: bool = False,
    store: LatentStore | None = None,
    tally: Tally | None = None,
    denoise: Denoise = denoise,
) -> Generator[Sampled, None, None]:
    """Sample the latents of a clip, yielded in the order of its frames as soon as they are complete.

    Equal seeds give equal latents on the same devices; other devices, other sizes of a batch and runs that go on from a
    `store` give them up to rounding.

    Parameters
    ----------
    readers : the model with the same clip, on one device or more, which take the batches of a level in turns.
    frames : of the clip.
    shape : (channels, height, width) of a frame's latents.
    cuts, loop : see `progressive.plan`.
    store : keeps finished segments and is asked for each before it is made.
    tally : counts passes.
    denoise : what samples a segment, or several of one length.

    Yields
    ------
    The next frames, on the first reader's device; all of them together are the clip.

    Raises
    ------
    SettingsError : settings that the denoiser cannot be sampled with.
    WeightsError : the denoiser's values are not finite.
    """
    check_fits(settings, readers[0].denoiser.config)
    levels = settings.levels(frames, cuts, loop)
    segments = list(chain.from_iterable(levels))
    readings = Counter(frame for segment in segments for frame in segment.read)
    made: dict[int, Sampled] = {}  # frames that are yielded or read later
    make = SegmentMaker(segments, shape, settings, made, readers[0].device, store, progress, tally, denoise)

    complete, together = 0, 1 if settings.scenes_at_once else settings.batch
    for level in levels:
        for batch, results in on_devices(readers, batched(level, together), make):
            for segment, result in zip(batch, results, strict=True):
                for place, frame in enumerate(segment.frames):
                    if not segment.known[place]:
                        made[frame] = result[place]
                readings.subtract(segment.read)
            start = complete
            while complete in made:
                complete += 1
            if complete > start:
                yield Sampled.stacked([made[frame] for frame in range(start, complete)])
            for frame in [frame for frame in made if frame < complete and not readings[frame]]:
                del made[frame]


def on_devices(
    readers: Sequence[ClipReader], batches: Sequence[Level], make: SegmentMaker
) -> Iterator[tuple[Level, list[Sampled]]]:
    """Each batch of a level with its results, in order, made when it is asked for; several devices make neighbouring
    ones at once."""
    if len(readers) == 1:
        yield from ((batch, make(readers[0], batch)) for batch in batches)
        return
    with ThreadPoolExecutor(len(readers), thread_name_prefix="device") as threads:
        for start in range(0, len(batches), len(readers)):
            together = batches[start : start + len(readers)]
            yield from zip(together, threads.map(make, readers, together), strict=True)


class SegmentMaker:
    """Samples the segments of a plan, or takes them from a store, and counts steps; on any device."""

    def __init__(
        self,
        segments: Sequence[Segment],
        shape: tuple[int, int, int],
        settings: SamplingSettings,
        made: Mapping[int, Sampled],
        device: torch.device,
        store: LatentStore | None,
        progress: Progress | None,
        tally: Tally | None,
        denoise: Denoise = denoise,
    ) -> None:
        """Of `sample`'s parameters; `made` holds the frames that segments read, results go to `device`."""
        self._settings, self._shape, self._made = settings, shape, made
        self._device, self._store, self._denoise = device, store, denoise
        self._numbers = {segment: number for number, segment in enumerate(segments)}
        self._steps = {segment: settings.steps * len(settings.windows(len(segment))) for segment in segments}
        self._count = StepCount(sum(self._steps.values()), progress, tally)

    @torch.inference_mode()
    def __call__(self, reader: ClipReader, batch: Level) -> list[Sampled]:
        """The frames of segments of one length, known ones too."""
        settings = self._settings
        warped = [reader.warped(segment.frames) for segment in batch]
        latents = self._stored(batch)
        if latents is not None:
            self._count.skip(sum(self._steps[segment] for segment in batch))
        else:
            noise = [
                frame_noise(settings.seed, segment.frames, self._shape, settings.shared_noise)
                for segment in batch
            ]
            mask = torch.tensor([segment.known for segment in batch], dtype=torch.float32)
            latents = self._denoise(
                reader.denoiser,
                reader.conditioning,
                WindowFeatures(reader, batch, warped),
                torch.cat(noise).to(reader.device),
                known_latents(batch, self._made, self._shape).to(reader.device),
                mask[:, None, :, None, None].to(reader.device),
                settings.windows(len(batch[0])),
                settings.steps,
                settings.cache,
                partial(self._count.add, len(batch)),
                region_of(reader, batch, settings.cache),
            )
            finite(latents, "denoiser")
            if self._store is not None:
                for segment, value in zip(batch, latents, strict=True):
                    self._store.save(self._numbers[segment], value)
        return [
            Sampled(value.transpose(0, 1), warp).to(self._device)
            for value, warp in zip(latents, warped, strict=True)
        ]

    def _stored(self, batch: Level) -> Tensor | None:
        """The latents of a batch (batch, channels, frames, height, width), where all its segments are in the store."""
        if self._store is None:
            return None
        shape = (self._shape[0], len(batch[0]), *self._shape[1:])
        found = [self._store.load(self._numbers[segment]) for segment in batch]
        latents = [one for one in found if one is not None and one.shape == shape]
        return torch.stack(latents) if len(latents) == len(batch) else None


def known_latents(batch: Level, made: Mapping[int, Sampled], shape: tuple[int, int, int]) -> Tensor:
    """(batch, channels, frames, height, width): those of known frames, zero elsewhere."""
    known = torch.zeros(len(batch), shape[0], len(batch[0]), *shape[1:])
    for row, segment in enumerate(batch):
        for place, frame in enumerate(segment.frames):
            if segment.known[place]:
                known[row, :, place] = made[frame].latents
    return known


def region_of(reader: ClipReader, batch: Level, cache: CacheSettings | None) -> Tensor | None:
    """Where the landmarks of a batch's frames are (batch, 1, frames, height, width), for a cache that asks for it."""
    if not (isinstance(cache, TaylorSettings) and cache.by_region):
        return None
    return torch.cat([reader.region(segment.frames) for segment in batch])


class WindowFeatures:
    """The landmark features of a batch's windows: (batch, first block width, frames, height, width)."""

    def __init__(self, reader: ClipReader, batch: Level, warped: Sequence[Tensor | None]) -> None:
        self._reader, self._batch, self._warped = reader, batch, warped
        self._kept: dict[int, Tensor] = {}

    def __call__(self, window: Window) -> Tensor:
        if window.start in self._kept:
            return self._kept[window.start]
        inside = slice(window.start, window.stop)
        features = torch.cat(
            [
                self._reader.features(segment.frames[inside], None if warped is None else warped[inside])
                for segment, warped in zip(self._batch, self._warped, strict=True)
            ]
        )
        if not self._kept or (len(self._kept) + 1) * features.nbytes <= KEPT_BYTES:
            self._kept[window.start] = features
        return features
