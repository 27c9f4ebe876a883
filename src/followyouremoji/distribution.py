"""Clips on many workers: wherever one is free, the segments of a level are sampled and decoded (Sec. 3.3).

A worker holds the model and what it read of the portraits. It is sent the latents of the frames that its segment knows,
and answers with the new frames' latents and pictures. Plans, noise and the order of frames are those of one machine
(`generation.generate`), so frames are equal within rounding.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, zip_longest

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.codec import to_pictures
from followyouremoji.checkpoints.model import Model
from followyouremoji.decoding import DECODED_AT_ONCE, CodedWarps, Pose, coded_poses
from followyouremoji.executors import Executor
from followyouremoji.generation import Course, ModelReader, Steps, read_portrait
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.networks.finite import finite
from followyouremoji.sampling.progressive import Level, Segment, batched
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.sampling.sampler import LatentStore, Sampled, SegmentMaker, Tally
from followyouremoji.sampling.settings import SamplingSettings


@dataclass(frozen=True)
class Shared:
    """What each worker holds: how it gets the model, and the clips of all faces of a portrait."""

    load: Callable[[], Model]
    courses: tuple[Course, ...]
    sampling: SamplingSettings
    guidance_scale: float


@dataclass(frozen=True)
class Part:
    """Segments of one length of a clip, that a worker takes together.

    `known` are latents (channels, height, width) of the frames that they read, by frame; `finished` those of whole
    segments (channels, frames, height, width) that an earlier run made, which are only decoded.
    """

    course: int
    segments: Level
    known: dict[int, Tensor] = field(repr=False)
    finished: list[Tensor] | None = field(repr=False)


@dataclass(frozen=True)
class PartMade:
    """Latents of a part's segments, as `Part.finished`; pictures uint8 (size, size, 3) of the poses that are new, and
    of some of them the warped portrait, once through the autoencoder."""

    latents: list[Tensor]
    pictures: dict[int, np.ndarray]
    coded: dict[int, np.ndarray]
    tally: Tally


class Worker:
    """A model that makes parts of clips."""

    def __init__(self, shared: Shared, model: Model) -> None:
        self._sampling, self._model = shared.sampling, model
        self._coded: list[set[int]] = []
        self._shapes: list[tuple[int, int, int]] = []
        self._readers: list[ModelReader] = []
        for course in shared.courses:
            clip = course.clip
            side = clip.picture.shape[0] // LATENT_STRIDE
            read = read_portrait(model, clip, shared.guidance_scale)
            self._shapes.append((model.networks.config.latent_channels, side, side))
            self._readers.append(ModelReader(model, clip, course.poses, read))
            self._coded.append(coded_poses(len(course.poses)) if clip.reads_coded_warp else set())

    @torch.inference_mode()
    def make(self, part: Part) -> PartMade:
        tally, store = Tally(), PartStore(part.finished)
        known = {frame: Sampled(latents, None) for frame, latents in part.known.items()}
        make = SegmentMaker(
            part.segments,
            self._shapes[part.course],
            self._sampling,
            known,
            self._model.device,
            store,
            None,
            tally,
        )
        pictures: dict[int, np.ndarray] = {}
        coded: dict[int, np.ndarray] = {}
        for segment, sampled in zip(
            part.segments, make(self._readers[part.course], part.segments), strict=True
        ):
            places = [place for place, known in enumerate(segment.known) if not known]
            for start in range(0, len(places), DECODED_AT_ONCE):
                some = places[start : start + DECODED_AT_ONCE]
                frames = [segment.frames[place] for place in some]
                group = Sampled.stacked([sampled[place] for place in some])
                self._decode(frames, group, self._coded[part.course], pictures, coded)
        return PartMade(store.latents, pictures, coded, tally)

    def _decode(
        self,
        frames: Sequence[int],
        group: Sampled,
        coded_ones: set[int],
        pictures: dict[int, np.ndarray],
        coded: dict[int, np.ndarray],
    ) -> None:
        """Pictures of sampled frames, and of those among `coded_ones` the warped portrait's."""
        latents, read = group.latents, list[int]()
        if group.warped is not None:
            latents = onto_warp(latents, group.warped, self._model.networks.config.residual_scale)
            read = [place for place, frame in enumerate(frames) if frame in coded_ones]
            latents = torch.cat([latents, group.warped[read]])
        decoded = to_pictures(finite(self._model.codec.decode(latents), "autoencoder"))
        pictures.update(zip(frames, decoded, strict=False))
        coded.update(zip([frames[place] for place in read], decoded[len(frames) :], strict=True))


class PartStore:
    """The latents of one part: those of an earlier run, or those that are made now (`sampler.LatentStore`)."""

    def __init__(self, finished: Sequence[Tensor] | None) -> None:
        self.latents = list(finished or ())
        self._given = finished is not None

    def load(self, number: int) -> Tensor | None:
        return self.latents[number] if self._given else None

    def save(self, number: int, latents: Tensor) -> None:
        self.latents.append(latents.cpu())


@contextmanager
def worker(shared: Shared) -> Iterator[Worker]:
    """A worker's model, loaded, with all portraits read."""
    model = shared.load()
    ready = Worker(shared, model)
    with model.using("denoiser"):
        yield ready


def make_part(part: Part, worker: Worker) -> PartMade:
    """What an executor maps."""
    return worker.make(part)


class Distribution:
    """Generates courses on an executor's workers, which `load` the model once; all advance together. Parameters as of
    `generation.Generation`.

    Parts are given out no further ahead of what is taken from `poses` than the executor has workers. Pictures of a pose
    wait here for those before it: those of the keyframes from the first, of a clip that goes back all of them.
    """

    def __init__(
        self,
        executor: Executor,
        load: Callable[[], Model],
        sampling: SamplingSettings,
        guidance_scale: float,
        courses: Sequence[Course],
        steps: Steps,
        stores: Sequence[LatentStore],
        tally: Tally | None,
    ) -> None:
        self._executor, self._steps, self._stores = executor, steps, stores
        self._sampling = sampling
        self._resource = partial(worker, Shared(load, tuple(courses), sampling, guidance_scale))
        self._tally = tally or Tally()
        self._clips = [ClipMade(course, sampling) for course in courses]
        self._waiting: list[deque[Pose]] = [deque() for _ in courses]
        self._making = self._made()

    def poses(self, number: int) -> Generator[Pose, None, None]:
        """See `generation.Generating`. Raises as `generate`, and WorkerLost."""
        waiting = self._waiting[number]
        try:
            while True:
                while not waiting:
                    made = next(self._making, None)
                    if made is None:
                        return
                    self._waiting[made[0]].extend(made[1])
                yield waiting.popleft()
        except GeneratorExit:
            self._making.close()  # ends the workers; nobody goes on with one of several faces alone
            raise

    def _made(self) -> Generator[tuple[int, list[Pose]], None, None]:
        """Poses that are complete, with the number of their clip."""
        for level in zip_longest(*(clip.levels for clip in self._clips), fillvalue=()):
            parts = [(number, segments) for number, batches in enumerate(level) for segments in batches]
            parts.sort(key=lambda part: part[1][0].frames[0])  # all clips from their start on
            items = (self._part(number, segments) for number, segments in parts)
            for outcome in self._executor.map(make_part, items, self._resource):
                made, number = outcome.result(), outcome.item.course
                self._keep(outcome.item, made)
                yield number, list(self._clips[number].take(outcome.item.segments, made))
        for number, clip in enumerate(self._clips):
            yield number, clip.back()

    def _part(self, number: int, segments: Level) -> Part:
        clip = self._clips[number]
        finished = None
        if self._stores:
            found = [self._stores[number].load(clip.numbers[segment]) for segment in segments]
            if all(latents is not None for latents in found):
                finished = [latents for latents in found if latents is not None]
        known = {frame: clip.latents[frame] for segment in segments for frame in segment.read}
        return Part(number, segments, known, finished)

    def _keep(self, part: Part, made: PartMade) -> None:
        clip = self._clips[part.course]
        if self._stores and part.finished is None:
            for segment, latents in zip(part.segments, made.latents, strict=True):
                self._stores[part.course].save(clip.numbers[segment], latents)
        self._tally.computed += made.tally.computed
        self._tally.forecast += made.tally.forecast
        sampling = self._sampling
        clip.steps += sum(sampling.steps * len(sampling.windows(len(one))) for one in part.segments)
        self._steps(part.course, clip.steps)


class ClipMade:
    """What is there of a clip: latents that later segments read, and pictures until they are taken."""

    def __init__(self, course: Course, sampling: SamplingSettings) -> None:
        self._course, poses = course, course.poses
        plan = sampling.levels(len(poses), poses.cuts, poses.circular)
        together = 1 if sampling.scenes_at_once else sampling.batch
        self.levels = [batched(level, together) for level in plan]
        self.numbers = {segment: number for number, segment in enumerate(chain.from_iterable(plan))}
        self.latents: dict[int, Tensor] = {}
        self.steps = 0
        self._readings = Counter(frame for segment in self.numbers for frame in segment.read)
        self._pictures: dict[int, np.ndarray] = {}
        self._coded: dict[int, np.ndarray] = {}
        self._warps = CodedWarps()
        self._next = 0
        self._back: list[Pose] = []

    def take(self, segments: Iterable[Segment], made: PartMade) -> Iterator[Pose]:
        """Poses that are complete now that a part is there."""
        for segment, latents in zip(segments, made.latents, strict=True):
            for place, frame in enumerate(segment.frames):
                if not segment.known[place] and self._readings[frame]:
                    self.latents[frame] = latents[:, place].clone()
            self._readings.subtract(segment.read)
        self.latents = {frame: one for frame, one in self.latents.items() if self._readings[frame] > 0}
        self._pictures.update(made.pictures)
        self._coded.update(made.coded)
        whole = DECODED_AT_ONCE if self._course.clip.reads_coded_warp else 1
        total = len(self._course.poses)
        while self._next < total:
            group = range(self._next, min(self._next + whole, total))
            if any(pose not in self._pictures for pose in group):
                return
            self._next = group.stop
            yield from self._group(group)

    def _group(self, group: range) -> Iterator[Pose]:
        pictures = [self._pictures.pop(pose) for pose in group]
        coded: Sequence[np.ndarray | None] = [None] * len(group)
        if self._course.clip.reads_coded_warp:
            frames = self._course.poses.frames
            warps = [self._course.clip.warped_picture(int(frames[pose])) for pose in group]
            read = [self._coded.pop(group[place]) for place in self._warps.read(len(group))]
            coded = self._warps.of(warps, read)
        for pose in zip(group, pictures, coded, strict=True):
            if self._course.back:
                self._back.append(pose)
            yield pose

    def back(self) -> list[Pose]:
        """The poses once more, in reverse order, where they are asked for."""
        return self._back[::-1]
