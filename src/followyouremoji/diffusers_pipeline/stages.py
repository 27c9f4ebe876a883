"""From a portrait that is read to its frames: what the pipeline does in turn, and modular blocks wrap."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.model import Model
from followyouremoji.decoding import decoded
from followyouremoji.face.timeline import Timeline
from followyouremoji.generation import ModelReader
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.prepared import Prepared
from followyouremoji.sampling.guidance import ClipConditioning
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.sampling.sampler import Denoise, Progress, Sampled, sample
from followyouremoji.sampling.settings import SamplingSettings


def sampled(
    model: Model,
    prepared: Prepared,
    course: Timeline,
    conditioning: ClipConditioning,
    sampling: SamplingSettings,
    denoise: Denoise,
    progress: Progress | None = None,
) -> Generator[Sampled, None, None]:
    """The poses' latents in their order, as soon as the plan allows; `conditioning` is what `read_portrait` gave."""
    side = prepared.size // LATENT_STRIDE
    with model.using("denoiser"):
        yield from sample(
            [ModelReader(model, prepared, course, conditioning)],
            len(course),
            (model.config.network.latent_channels, side, side),
            sampling,
            progress,
            cuts=course.cuts,
            loop=course.circular,
            denoise=denoise,
        )


def pictures(
    model: Model, prepared: Prepared, course: Timeline, pieces: Generator[Sampled, None, None]
) -> list[np.ndarray]:
    """The finished frames, uint8 (height, width, 3 or 4)."""

    def warped_picture(pose: int) -> np.ndarray:
        return prepared.warped_picture(int(course.frames[pose]))

    warps = warped_picture if prepared.reads_coded_warp else None
    finished = {
        pose: prepared.finish(picture, int(course.frames[pose]), coded_warp)
        for pose, picture, coded_warp in decoded([model], pieces, warped_picture=warps)
    }
    return [finished[int(pose)] for pose in course.shown]


def latents(model: Model, course: Timeline, pieces: Iterable[Sampled]) -> Tensor:
    """The frames' latents, (1, channels, frames, height, width)."""
    scale = model.config.network.residual_scale
    poses = torch.cat(
        [
            piece.latents if piece.warped is None else onto_warp(piece.latents, piece.warped, scale)
            for piece in pieces
        ]
    )
    return poses[torch.from_numpy(course.shown).to(poses.device)].transpose(0, 1)[None]
