"""The networks' part of a live session: chunks of poses to pictures, each chunk going on from the one before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.model import Model
from followyouremoji.face.timeline import Timeline
from followyouremoji.generation import Clip, Decoder, ModelReader, read_portrait
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.sampling.stream import LatentStream

CHUNK = 4
"""Frames that are made at once at most."""

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

    def show(self, clip: Clip, frames: Sequence[int], known: Sequence[int]) -> None:
        """Read a clip's poses, which are these `frames` of the stream; of the others the `known` ones are kept."""
        chunk = ModelReader(self._model, clip, Timeline.straight(len(frames)), self.conditioning)
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

    @torch.inference_mode()
    def __call__(self, posed: Prepared) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """For each pose of a chunk the arguments of `Prepared.finish`, of which these are the picture and the warp
        once through the autoencoder.

        Raises WeightsError where values of a network are not finite.
        """
        frames, known = self._stream.coming(len(posed)), self._stream.last
        with self._model.using("denoiser"):
            self._reader.show(posed, frames, known)
            sampled = self._stream(self._reader, len(posed))
            if not posed.reads_coded_warp:
                return self._decoder(sampled)
            return self._decoder(sampled, [posed.warped_picture(pose) for pose in range(len(posed))])
