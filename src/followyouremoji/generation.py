"""The networks' part of an animation: from a prepared portrait and its poses to decoded pictures, streamed (Sec. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from followyouremoji.checkpoints.config import LATENT_STRIDE
from followyouremoji.checkpoints.model import Model
from followyouremoji.checkpoints.offloading import READING_NETWORKS
from followyouremoji.face.timeline import Timeline
from followyouremoji.media.ahead import ahead
from followyouremoji.preparation import Prepared
from followyouremoji.sampling import ClipConditioning, SamplingSettings, sample
from followyouremoji.sampling.denoising import Tally
from followyouremoji.sampling.guess import onto_guess
from followyouremoji.sampling.guidance import condition_denoiser
from followyouremoji.sampling.sampler import LatentStore, Progress, Replica, reading_groups

DECODED_AT_ONCE = 4  # frames


@dataclass(frozen=True)
class Decoded:
    """Generated pictures of poses and, where they are made relative to a guess, the guesses once through the autoencoder, uint8 (n, size, size, 3)."""

    poses: range
    results: np.ndarray
    coded_guesses: np.ndarray

    def reversed(self) -> Decoded:
        return Decoded(self.poses[::-1], self.results[::-1], self.coded_guesses[::-1])


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
    """What the networks make of each pose of a clip, in order, as soon as the plan allows; for a ping-pong then in reverse order.

    `models` are the same on one or several devices. All that lasts as long as the clip is read once: the portrait, and the landmarks and
    the guess of each pose.
    """
    model, network = models[0], models[0].config.network
    guesses = None
    if network.warped_reference:
        groups = reading_groups(sampling.batches(len(course), course.cuts, course.circular))
        guesses = Guesses(prepared, course, model, groups)

    def landmark_features(poses: tuple[int, ...]) -> Tensor:
        pictures = [prepared.landmark_picture(int(course.frames[pose])) for pose in poses]
        return features_of(model, pictures, None if guesses is None else guesses.of(poses))

    conditionings = [read_portrait(one, prepared, guidance_scale) for one in models]
    replicas = [
        Replica(one.denoiser, conditioning) for one, conditioning in zip(models, conditionings, strict=True)
    ]
    latents_of_poses = sample(
        replicas[0].denoiser,
        replicas[0].conditioning,
        landmark_features,
        len(course),
        (network.latent_channels, prepared.size // LATENT_STRIDE, prepared.size // LATENT_STRIDE),
        sampling,
        progress,
        cuts=course.cuts,
        loop=course.circular,
        replicas=replicas[1:],
        store=store,
        tally=tally,
    )

    def decode(poses: range, latents: Tensor, guess: Tensor | None) -> Decoded:
        if guess is None:
            results = to_pictures(model.decode(latents))
            return Decoded(poses, results, results)
        results = to_pictures(model.decode(onto_guess(latents, guess, network.residual_scale)))
        return Decoded(poses, results, to_pictures(model.decode(guess)))

    back: list[tuple[range, Tensor, Tensor | None]] = []
    complete = 0
    with ExitStack() as stack:
        for one in models:
            stack.enter_context(one.using("denoiser"))
        if samples_ahead(model.device):
            latents_of_poses = stack.enter_context(closing(ahead(latents_of_poses, 1)))
        for piece in latents_of_poses:
            for latents in piece.split(DECODED_AT_ONCE):
                poses = range(complete, complete + len(latents))
                complete = poses.stop
                part = (poses, latents, None if guesses is None else guesses.taken(poses))
                if prepared.loop == "pingpong":
                    back.append((poses, latents.cpu(), None if part[2] is None else part[2].cpu()))
                yield decode(*part)
    for part in reversed(back):
        yield decode(*part).reversed()


def samples_ahead(device: torch.device) -> bool:
    """Whether the next segments are sampled while those before are decoded and finished: a GPU would else stand still, a processor has no time."""
    return device.type != "cpu"


class Guesses:
    """Latents of the bent portrait for poses that are being sampled and not yet decoded.

    They are encoded in the groups in which they are first read, so that a run that goes on from a store gives the same to the last bit.
    """

    def __init__(
        self, prepared: Prepared, course: Timeline, model: Model, groups: Mapping[int, tuple[int, ...]]
    ) -> None:
        self._prepared, self._course, self._model, self._groups = prepared, course, model, groups
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
                    frames = [int(self._course.frames[one]) for one in group]
                    pictures = np.stack([self._prepared.warped_picture(frame) for frame in frames])
                    encoded = dict(zip(group, self._model.encode(to_tensor(pictures) * 2 - 1), strict=True))
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
    portrait = to_tensor(prepared.picture[None]).to(model.device) * 2 - 1
    reference_features = None
    if model.config.network.reference_landmarks:
        reference_features = features_of(model, [prepared.reference_landmark_picture()])[:, :, 0]
    with model.using(*READING_NETWORKS):
        tokens = model.image_tokens(portrait)
        appearance = model.appearance_net(model.encode(portrait), tokens, reference_features)
    with model.using("denoiser"):
        return condition_denoiser(model.denoiser, tokens, appearance, guidance_scale)


def features_of(model: Model, pictures: Sequence[np.ndarray], guesses: Tensor | None = None) -> Tensor:
    """Landmark features (1, first block width, n, height, width) of landmark pictures, with the latents of their guesses (n, channels, height, width)."""
    drawn = to_tensor(np.stack(pictures)).to(model.device, model.dtype)
    warped = None if guesses is None else guesses.transpose(0, 1)[None]
    return model.landmark_encoder(drawn.transpose(0, 1)[None], warped)  # f c h w -> 1 c f h w


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Pictures uint8 (n, height, width, 3) to float32 (n, 3, height, width) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


def to_pictures(decoded: Tensor) -> np.ndarray:
    """Decoded (n, 3, height, width) in [-1, 1] to pictures uint8 (n, height, width, 3)."""
    levels = (decoded.float().clamp(-1, 1) + 1) * 127.5
    return levels.round().byte().permute(0, 2, 3, 1).cpu().numpy()
