"""The networks' part of an animation: from a prepared portrait and its poses to decoded pictures, streamed (Sec. 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import repeat
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.codec import to_pictures, to_tensor
from followyouremoji.checkpoints.model import Model
from followyouremoji.checkpoints.offloading import READING_NETWORKS
from followyouremoji.face.timeline import Timeline
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.prefetch import prefetch
from followyouremoji.preparation import Prepared
from followyouremoji.sampling.denoising import Tally
from followyouremoji.sampling.guidance import ClipConditioning, condition_clip
from followyouremoji.sampling.residual import onto_warp
from followyouremoji.sampling.sampler import (
    LatentStore,
    Progress,
    Replica,
    reading_groups,
    sample,
)
from followyouremoji.sampling.settings import SamplingSettings

DECODED_AT_ONCE = 4  # frames

Poses = tuple[int, ...]

Draw = Callable[[Poses], np.ndarray]
"""Poses to a picture of each, uint8 (n, size, size, 3)."""


@dataclass(frozen=True)
class Decoded:
    """Generated pictures of poses, uint8 (n, size, size, 3), and of faces alone the warped portraits once through
    the autoencoder."""

    poses: range
    results: np.ndarray
    coded_warps: np.ndarray | None

    def reversed(self) -> Decoded:
        coded = None if self.coded_warps is None else self.coded_warps[::-1]
        return Decoded(self.poses[::-1], self.results[::-1], coded)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, np.ndarray | None]]:
        """Each pose with its picture and its coded warp."""
        coded = repeat(None) if self.coded_warps is None else self.coded_warps
        return zip(self.poses, self.results, coded, strict=False)


@torch.inference_mode()
def generate(
    models: Sequence[Model],
    prepared: Prepared,
    course: Timeline,
    sampling: SamplingSettings,
    guidance_scale: float,
    progress: Progress | None,
    store: LatentStore | None,
    tally: Tally | None = None,
) -> Iterator[Decoded]:
    """What the networks make of each pose of a clip, in order, as soon as the plan allows; for a ping-pong then in
    reverse order.

    `models` are the same on one or several devices. All that lasts as long as the clip is read once: the portrait, and
    the landmarks and the warp of each pose.
    """
    model, network = models[0], models[0].config.network
    batches = sampling.batches(len(course), course.cuts, course.circular)
    groups = reading_groups(batches)
    replicas = [
        Replica(one.networks.denoiser, read_portrait(one, prepared, guidance_scale)) for one in models
    ]

    back: list[tuple[range, Tensor, Tensor | None]] = []
    complete = 0
    with ExitStack() as stack:
        drawn = pictures_of(prepared.landmark_picture, course)
        warped = pictures_of(prepared.warped_picture, course)
        warps = WarpLatents(warped, model, groups) if network.warped_reference else None

        def landmark_features(poses: Poses) -> Tensor:
            return features_of(model, drawn(poses), None if warps is None else warps.of(poses))

        latents_of_poses = sample(
            replicas,
            landmark_features,
            len(course),
            (network.latent_channels, prepared.size // LATENT_STRIDE, prepared.size // LATENT_STRIDE),
            sampling,
            progress,
            cuts=course.cuts,
            loop=course.circular,
            store=store,
            tally=tally,
        )
        for one in models:
            stack.enter_context(one.using("denoiser"))
        if works_ahead(model.device):
            latents_of_poses = stack.enter_context(closing(prefetch(latents_of_poses, 1)))
        for piece in latents_of_poses:
            for latents in piece.split(DECODED_AT_ONCE):
                poses = range(complete, complete + len(latents))
                complete = poses.stop
                part = (poses, latents, None if warps is None else warps.taken(poses))
                if prepared.loop == "pingpong":
                    back.append((poses, latents.cpu(), None if part[2] is None else part[2].cpu()))
                yield decode(model, prepared, *part)
    for part in reversed(back):
        yield decode(model, prepared, *part).reversed()


def decode(model: Model, prepared: Prepared, poses: range, latents: Tensor, warped: Tensor | None) -> Decoded:
    """Pictures of sampled latents (n, channels, height, width), and of their warps' latents where they are relative to
    these."""
    if warped is None:
        return Decoded(poses, to_pictures(model.codec.decode(latents)), None)
    results = to_pictures(model.codec.decode(onto_warp(latents, warped, model.config.network.residual_scale)))
    coded = to_pictures(model.codec.decode(warped)) if prepared.face is not None else None
    return Decoded(poses, results, coded)


def finish(
    model: Model, prepared: Prepared, frame: int, result: np.ndarray, coded_warp: np.ndarray | None
) -> np.ndarray:
    """A generated picture (size, size, 3) as the user gets it, with opacity where the portrait has some; `frame` of the
    motion."""
    if model.config.network.warped_reference:
        return prepared.finish_face(result, frame, coded_warp)
    return prepared.finish(result, frame)


def pictures_of(draw: Callable[[int], np.ndarray], course: Timeline) -> Draw:
    """From what draws a frame of the motion, what draws poses."""
    return lambda poses: np.stack([draw(int(course.frames[pose])) for pose in poses])


def works_ahead(device: torch.device) -> bool:
    """Whether the next segments are sampled while those before are decoded and finished: a GPU would else stand still,
    a processor has no time."""
    return device.type != "cpu"


class WarpLatents:
    """Latents of the warped portrait for poses that are being sampled and not yet decoded.

    They are encoded in the groups in which they are first read, so that a run that goes on from a store gives the same
    to the last bit.
    """

    def __init__(self, warped: Draw, model: Model, groups: Mapping[int, Poses]) -> None:
        self._warped, self._model, self._groups = warped, model, groups
        self._kept: dict[int, Tensor] = {}
        self._taken = 0
        self._lock = Lock()  # several devices may read their windows at once

    def of(self, poses: Sequence[int]) -> Tensor:
        """(n, channels, height, width)."""
        with self._lock:
            found = {pose: self._kept[pose] for pose in poses if pose in self._kept}
            for pose in poses:
                if pose not in found:
                    group = self._groups[pose]
                    pictures = to_tensor(self._warped(group))
                    encoded = dict(zip(group, self._model.codec.encode(pictures), strict=True))
                    found.update(encoded)
                    self._kept.update(
                        {one: latents for one, latents in encoded.items() if one >= self._taken}
                    )
            return torch.stack([found[pose] for pose in poses])

    @property
    def held(self) -> int:
        """Poses whose latents are kept now."""
        return len(self._kept)

    def taken(self, poses: range) -> Tensor:
        """As `of`, for the next poses to be decoded, which are then forgotten."""
        latents = self.of(poses)
        with self._lock:
            self._taken = poses.stop
            for pose in poses:
                self._kept.pop(pose, None)
        return latents


def read_portrait(model: Model, prepared: Prepared, guidance_scale: float) -> ClipConditioning:
    """What all frames of a clip read of the portrait, on a model's device.

    Where its networks take turns, those that read the portrait have left memory when the denoiser comes.
    """
    portrait = to_tensor(prepared.picture[None])
    landmarks = None
    if model.config.network.reference_landmarks:
        landmarks = to_tensor(prepared.reference_landmark_picture()[None])
    with model.using(*READING_NETWORKS):
        latents = model.codec.encode(portrait)
        tokens = model.codec.image_tokens(portrait, latents)
        prompt, appearance = model.networks.read_portrait(latents, tokens, landmarks)
    with model.using("denoiser"):
        return condition_clip(model.networks.denoiser, prompt, appearance, guidance_scale)


def features_of(model: Model, pictures: np.ndarray, warped: Tensor | None = None) -> Tensor:
    """Landmark features (1, first block width, n, height, width) of landmark pictures, uint8 (n, size, size, 3), with
    the latents of their warps (n, channels, height, width)."""
    latents = None if warped is None else warped.transpose(0, 1)[None]
    return model.networks.features(to_tensor(pictures).transpose(0, 1)[None], latents)
