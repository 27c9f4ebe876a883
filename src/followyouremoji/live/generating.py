"""The networks' part of a live session: chunks of poses to pictures, each chunk going on from the one before."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.model import Model
from followyouremoji.decoding import Decoder
from followyouremoji.face.between import GeneratedPose, generated_poses, pose_between
from followyouremoji.face.timeline import Timeline
from followyouremoji.generation import Clip, ModelReader, read_portrait
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.sampler import Sampled
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.sampling.stream import LatentStream

CHUNK = 6
"""Frames that are made at once at most."""

CHUNK_SECONDS = 0.12
"""Time that the networks may take over what they make at once: longer chunks are quicker, shorter ones sooner there.
With 55 ms for the first frame and 45 ms for each more, and 25 pictures a second, chunks of four make 18 frames a
second, shown after 350 ms and up to 120 ms apart, chunks bounded by this 19, after 190 ms and up to 74 ms apart."""

Coded = tuple[np.ndarray, np.ndarray | None]
"""A picture and, for models that read it, its warp once through the autoencoder."""

KNOWN = 1
"""Frames before a chunk that it knows, where frames do not share all of their noise and the model can use them. They
cost 36 % of time with chunks of one frame, hardly any with chunks of four. Of the bundled model, whose frames do,
neither flicker (0.0015) nor the error of the face (0.0165) falls with 1, 2 or 4 of them, on a drawn clip of known
truth."""


class LiveReader:
    """What a model reads of a clip that goes on, for the sampler (`sampling.sampler.ClipReader`): a chunk of new frames
    at a time. What it read of earlier frames is kept while chunks know them."""

    def __init__(self, model: Model, conditioning: ClipConditioning) -> None:
        self.device, self.denoiser, self.conditioning = model.device, model.networks.denoiser, conditioning
        self._model = model
        self._warped: dict[int, Tensor] = {}
        self._features: dict[int, Tensor] = {}
        self._regions: dict[int, Tensor] = {}

    def show(self, clip: Clip, course: Timeline, frames: Sequence[int], known: Sequence[int]) -> None:
        """Read a clip's poses, which are these `frames` of the stream; of the others the `known` ones are kept."""
        chunk = ModelReader(self._model, clip, course, self.conditioning)
        poses = range(len(frames))
        warped = chunk.warped(poses)
        features, regions = chunk.features(poses, warped), chunk.region(poses)
        self._warped = {frame: self._warped[frame] for frame in known if frame in self._warped}
        self._features = {frame: self._features[frame] for frame in known}
        self._regions = {frame: self._regions[frame] for frame in known}
        for pose, frame in enumerate(frames):
            if warped is not None:
                self._warped[frame] = warped[pose]
            self._features[frame], self._regions[frame] = features[:, :, pose], regions[:, :, pose]

    def warped(self, frames: Sequence[int]) -> Tensor | None:
        return torch.stack([self._warped[frame] for frame in frames]) if self._warped else None

    def features(self, frames: Sequence[int], warped: Tensor | None) -> Tensor:
        return torch.stack([self._features[frame] for frame in frames], dim=2)

    def region(self, frames: Sequence[int]) -> Tensor:
        return torch.stack([self._regions[frame] for frame in frames], dim=2)


class LiveGenerator:
    """Makes the pictures of one portrait's poses, chunk after chunk."""

    def __init__(
        self, model: Model, portrait: Prepared, sampling: SamplingSettings, guidance_scale: float
    ) -> None:
        """Read the portrait. Raises WeightsError where values are not finite."""
        side = portrait.size // LATENT_STRIDE
        shape = (model.networks.config.latent_channels, side, side)
        known = KNOWN if model.config.makes_keyframes and sampling.shared_noise < 1.0 else 0
        self._model = model
        self._reader = LiveReader(model, read_portrait(model, portrait, guidance_scale))
        self._stream = LatentStream(shape, sampling, known)
        self._decoder = Decoder(model)
        self._fills = portrait.reads_coded_warp
        self._last: GeneratedPose | None = None
        self._usual = 0.0  # seconds a generated pose

    @property
    def most(self) -> int:
        """Poses that may be made at once: as many as can be generated in time, or as those between can fill."""
        return CHUNK if self._fills else self._in_time

    @property
    def _in_time(self) -> int:
        return max(1, min(CHUNK, int(CHUNK_SECONDS / self._usual))) if self._usual else 1

    @torch.inference_mode()
    def __call__(self, posed: Prepared) -> list[Callable[[], Coded]]:
        """For each pose of a chunk, `most` or fewer, what gives its picture and its warp once through the autoencoder:
        at once where it was generated, else it is made when it is called, in any thread.

        Raises WeightsError where values of a network are not finite.
        """
        began = clock.perf_counter()
        poses = self._generated_poses(posed) if self._fills else np.arange(len(posed))
        warps = [posed.warped_picture(int(pose)) for pose in poses] if self._fills else None
        generated = self._decoder(self._sampled(posed, poses), warps)
        taken = (clock.perf_counter() - began) / len(poses)
        self._usual += (taken - self._usual) * (0.2 if self._usual else 1.0)
        if not self._fills:
            return [partial(_generated, *one) for one in generated]
        return self._filled(posed, poses, generated)

    def _generated_poses(self, posed: Prepared) -> np.ndarray:
        """Those of a chunk that cannot be made of the pose before it and of each other, see `face.between`; where time
        is short fewer, the last always."""
        points, count, most = posed.framing.points, len(posed), self._in_time
        if self._last is None:
            return np.unique([0, count - 1])
        poses = generated_poses(np.concatenate([self._last.points[None], points]), posed.size)[1:] - 1
        return (
            poses if len(poses) <= most else np.round(np.arange(1, most + 1) * count / most).astype(int) - 1
        )

    def _sampled(self, posed: Prepared, poses: np.ndarray) -> Sampled:
        course = Timeline.straight(len(posed)).only(poses)
        frames, known = self._stream.coming(len(course)), self._stream.last
        with self._model.using("denoiser"):
            self._reader.show(posed, course, frames, known)
            return self._stream(self._reader, len(course))

    def _filled(
        self, posed: Prepared, poses: np.ndarray, generated: Sequence[Coded]
    ) -> list[Callable[[], Coded]]:
        """All poses of a chunk, of those that were generated."""
        made: list[Callable[[], Coded]] = []
        for pose, (picture, coded) in zip(poses.tolist(), generated, strict=True):
            assert coded is not None
            after = GeneratedPose.of(picture, coded, posed.warped_picture(pose), posed.framing.points[pose])
            start = len(made) - 1
            if self._last is not None:
                for between in range(start + 1, pose):
                    share = (between - start) / (pose - start)
                    made.append(partial(_between, self._last, after, share, posed, between))
            made.append(partial(_generated, picture, coded))
            self._last = after
        return made


def _generated(picture: np.ndarray, coded: np.ndarray | None) -> Coded:
    return picture, coded


def _between(before: GeneratedPose, after: GeneratedPose, share: float, posed: Prepared, pose: int) -> Coded:
    """A pose of a chunk a `share` of the way between two that were generated."""
    return pose_between(before, after, share, posed.framing.points[pose], posed.warped_picture(pose))
