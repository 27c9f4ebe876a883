"""The batch of a step: each sample is a pure function of the run's seed, the step and the sample's place in the joined
batch.

So any process can make any sample: a batch split over processes is the same batch, and a resumed run sees what an
unbroken one would.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.checkpoints.codec import to_tensor
from followyouremoji.face.drawing import LandmarkStyle, draw_landmarks, expression_mask, face_mask
from followyouremoji.face.topology import (
    INNER_LIPS_LOOP,
    LEFT_EYE_LOOP,
    LEFT_EYEBROW,
    LEFT_IRIS,
    OUTER_LIPS_LOOP,
    RIGHT_EYE_LOOP,
    RIGHT_EYEBROW,
    RIGHT_IRIS,
)
from followyouremoji.networks.config import LATENT_STRIDE
from followyouremoji.training.masking import random_known_frames
from followyouremoji.training.picks import Pick, PickSource
from followyouremoji.training.settings import DenoiserRun

TIMESTEPS = 1000
FEATURES = (
    np.unique(np.array(LEFT_EYEBROW)),
    np.unique(np.array(RIGHT_EYEBROW)),
    np.array([*LEFT_EYE_LOOP, *range(LEFT_IRIS, LEFT_IRIS + 5)]),
    np.array([*RIGHT_EYE_LOOP, *range(RIGHT_IRIS, RIGHT_IRIS + 5)]),
    np.unique(np.array([*INNER_LIPS_LOOP, *OUTER_LIPS_LOOP])),
)


@dataclass(frozen=True)
class Batch:
    """Portraits and their targets: b portraits, n = b * k clips of f frames, sample-major (stage 1: f = 1, stage 2: k =
    1).

    Pictures are uint8 and become numbers on the device. Latents are given instead of pictures where they are cached.
    """

    portrait: Tensor  # uint8 (b, 3, H, W)
    portrait_latents: Tensor | None  # (b, c, h, w)
    portrait_landmarks: Tensor  # uint8 (b, 3, H, W)
    targets: Tensor | None  # uint8 (n, 3, f, H, W), None where latents are there
    latents: Tensor | None  # (n, c, f, h, w)
    landmarks: Tensor  # uint8 (n, 3, f, H, W)
    warped: Tensor | None  # uint8 (n, 3, f, H, W), the portrait warped by the landmarks
    expression_mask: Tensor | None  # (n, 1, f, h, w) in [0, 1], Eq. 1
    face_mask: Tensor | None
    known: Tensor  # bool (n, f)
    timesteps: Tensor  # int64 (n,)
    noise: Tensor  # (n, c, f, h, w)
    kept: Tensor | None  # bool (b,), False where the portrait is withheld; None: nowhere. Stays on the CPU

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; `kept` decides what is computed and stays."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pinned(self) -> Batch:
        """The batch in page-locked memory, from which a GPU copies while it computes."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        changed: dict[str, Any] = {
            name: change(value) for name, value in vars(self).items() if value is not None
        }
        return dataclasses.replace(self, **{**changed, "kept": self.kept})


def join(samples: Sequence[Batch]) -> Batch:
    """Batches of one portrait each, as one."""
    columns = {name: [getattr(sample, name) for sample in samples] for name in vars(samples[0])}
    joined: dict[str, Any] = {
        name: None if parts[0] is None else torch.cat(parts) for name, parts in columns.items()
    }
    return Batch(**joined)


def jittered(rng: np.random.Generator, points: np.ndarray, amount: float) -> np.ndarray:
    """Shift each facial feature by one offset common to all pictures of an identity, as a detector's bias on one face
    does.

    `points` (pictures, 478, 2); `amount` in distances between the pupils (standard deviation).
    """
    pupils = np.linalg.norm(points[:, LEFT_IRIS] - points[:, RIGHT_IRIS], axis=-1).mean()
    points = points.copy()
    for feature in FEATURES:
        points[:, feature] += rng.normal(0, amount * pupils, 2)
    return points


def clip_tensor(pictures: np.ndarray, clips: int) -> Tensor:
    """Pictures uint8 (clips * frames, height, width, 3) as a tensor uint8 (clips, 3, frames, height, width)."""
    return to_tensor(pictures).unflatten(0, (clips, -1)).transpose(1, 2)


def landmark_pictures(points: np.ndarray, size: int, style: LandmarkStyle) -> np.ndarray:
    """Landmark pictures of points (frames, 478, 2): uint8 (frames, size, size, 3)."""
    return np.stack([draw_landmarks(p, (size, size), style) for p in points])


def mask_tensor(masks: Sequence[np.ndarray], latent_size: int, clips: int) -> Tensor:
    """Masks of picture size to the share of each latent pixel that they cover, (clips, 1, frames, latent size, latent
    size)."""
    stack = torch.from_numpy(np.stack(masks)).float()[:, None]
    return F.adaptive_avg_pool2d(stack, latent_size).unflatten(0, (clips, -1)).transpose(1, 2)


def partly_shared_noise(rng: np.random.Generator, shape: tuple[int, ...], shared: float) -> np.ndarray:
    """Unit normal noise float32 (clips, channels, frames, height, width) with the correlation `shared` between any two
    frames of a clip, as `frame_noise` gives it."""
    own = rng.standard_normal(shape, np.float32)
    common = rng.standard_normal((*shape[:2], 1, *shape[3:]), np.float32)
    return np.float32(math.sqrt(shared)) * common + np.float32(math.sqrt(1 - shared)) * own


def sample_rng(seed: int, step: int, index: int) -> np.random.Generator:
    """The generator of one sample of a step."""
    return np.random.default_rng((seed, step, index))


def make_sample(run: DenoiserRun, source: PickSource, step: int, index: int) -> Batch:
    """Sample `index` of a step's joined batch, as a batch of one portrait.

    Raises DataError or SettingsError from the source.
    """
    rng = sample_rng(run.optimisation.seed, step, index)
    pick = source.pick(step * run.samples + index, rng, run.targets, successive=run.stage == 2)
    return sample_of(run, pick, rng)


def sample_of(run: DenoiserRun, pick: Pick, rng: np.random.Generator) -> Batch:
    """All that a training step needs of a pick: landmark pictures, masks, the warped portrait, known frames, timesteps
    and noise."""
    frames = run.targets if run.stage == 2 else 1
    clips = run.targets // frames
    size = pick.portrait.shape[0]
    latent_size, channels = size // LATENT_STRIDE, run.network.latent_channels
    points = jittered(rng, pick.points, run.landmark_jitter)
    drawn = landmark_pictures(points, size, run.landmarks.style)
    known = np.zeros((clips, frames), bool)
    if run.masks_frames:
        known = np.stack([random_known_frames(rng, frames, run.unknown_clips) for _ in range(clips)])
    noise_shape = (clips, channels, frames, latent_size, latent_size)
    if run.distillation is not None:
        timesteps = rng.choice(run.distillation.beginnings(), clips)
        noise = partly_shared_noise(rng, noise_shape, run.distillation.shared_noise)
    else:
        timesteps = rng.integers(0, TIMESTEPS, clips)
        timesteps[rng.random(clips) < run.terminal_share] = TIMESTEPS - 1
        noise = rng.standard_normal(noise_shape, np.float32)
    truth = pick.points[1:]
    cached = pick.latents is not None
    latents = torch.from_numpy(pick.latents) if pick.latents is not None else torch.empty(0)
    return Batch(
        portrait=to_tensor(pick.portrait[None]),
        portrait_latents=latents[:1] if cached else None,
        portrait_landmarks=to_tensor(drawn[:1]),
        targets=clip_tensor(pick.targets, clips) if not cached or run.picture_loss > 0 else None,
        latents=latents[1:].unflatten(0, (clips, frames)).transpose(1, 2) if cached else None,
        landmarks=clip_tensor(drawn[1:], clips),
        warped=(clip_tensor(pick.warped_portraits(points), clips) if run.network.warped_reference else None),
        expression_mask=(
            mask_tensor([expression_mask(p, (size, size)) for p in truth], latent_size, clips)
            if run.expression_mask
            else None
        ),
        face_mask=(
            mask_tensor([face_mask(p, (size, size)) for p in truth], latent_size, clips)
            if run.face_mask
            else None
        ),
        known=torch.from_numpy(known),
        timesteps=torch.from_numpy(timesteps),
        noise=torch.from_numpy(noise),
        kept=torch.from_numpy(rng.random(1) >= run.reference_dropout) if run.reference_dropout else None,
    )


def make_batch(run: DenoiserRun, source: PickSource, step: int) -> Batch:
    """The joined batch of a step."""
    return join([make_sample(run, source, step, index) for index in range(run.samples)])
