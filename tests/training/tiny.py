"""Tiny networks and clips for tests of training: drawn by hand, without skia, in milliseconds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.data import TrainingClip
from followyouremoji.face.topology import mean_face
from followyouremoji.networks import AutoencoderConfig, SmallAutoencoder
from followyouremoji.training.batch import Batch, join, make_sample
from followyouremoji.training.networks import Networks, recompute_activations
from followyouremoji.training.picks import ClipPicks
from followyouremoji.training.settings import DenoiserRun, Optimisation
from tests.tiny import tiny_network

SIZE = 64
AUTOENCODER = AutoencoderConfig(latent_channels=4, channels=(8, 8), blocks=1, scale=3.0)
NETWORK_TABLE = """
[network]
layout = "paper"
latent_channels = 4
block_channels = [16, 16]
layers_per_block = 1
heads = 2
norm_groups = 8
context_width = 8
image_source = "latents"
image_width = 6
landmark_channels = [4, 4, 4, 4]"""
NETWORK = tiny_network(block_channels=(16, 16), warped_reference=True, reference_landmarks=True)


@dataclass(frozen=True)
class Faces:
    """A clip source: the mean face, moved and coloured by position and frame."""

    size: int = SIZE

    def clip(self, position: int, frames: int) -> TrainingClip:
        rng = np.random.default_rng((7, position))
        mesh = mean_face() * [1, -1, -1]
        mesh = mesh[:, :3] - mesh.min(axis=0)
        mesh *= 0.7 * self.size / mesh[:, 1].max()
        irises = np.repeat(mesh[[159, 386]], 5, axis=0)
        points = np.concatenate([mesh, irises])[None] + rng.uniform(2, 12, (frames, 1, 3))
        pictures = np.empty((frames, self.size, self.size, 3), np.uint8)
        pictures[:] = rng.integers(0, 256, 3)
        for frame, (x, y, _) in enumerate(points[:, 4].astype(int)):
            pictures[frame, y - 5 : y + 5, x - 5 : x + 5] = rng.integers(0, 256, 3)
        return TrainingClip(f"face {position}", pictures, points.astype(np.float32))


def run_of(output: Path, stage: int = 1, steps: int = 4, **changes: Any) -> DenoiserRun:
    """A run on clips; `changes` of Optimisation and DenoiserRun by their names. Its data and autoencoder are only
    names."""
    names = {entry.name for entry in dataclasses.fields(Optimisation)}
    optimisation = {"warmup": 1, "decay": 1, **{key: changes.pop(key) for key in names & set(changes)}}
    return DenoiserRun(
        **{
            "stage": stage,
            "output": output,
            "autoencoder": Path("autoencoder.toml"),
            "optimisation": Optimisation(steps=steps, **optimisation),
            "network": NETWORK,
            "drawings": Path("drawings"),
            "initial": Path("stage1") if stage == 2 else None,
            "references": 4,
            "targets": 2 if stage == 1 else 3,
            "tensorboard": False,
            "log_every": 1,
            **changes,
        }
    )


def networks_of(run: DenoiserRun) -> Networks:
    """The run's networks with random values everywhere, also where new ones have zeros."""
    torch.manual_seed(0)
    config = dataclasses.replace(run.network, motion_modules=run.stage == 2)
    autoencoder = AUTOENCODER if run.tune_decoder else None
    networks = Networks(config, autoencoder)
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    if run.stage == 2:
        networks.freeze_spatial_layers()
    if run.optimisation.checkpointing:
        recompute_activations(networks)
    return networks


def codec() -> Codec:
    torch.manual_seed(1)
    return Codec(SmallAutoencoder(AUTOENCODER).requires_grad_(False))


def batch_of(run: DenoiserRun, step: int, places: range | None = None) -> Batch:
    source = ClipPicks(Faces(), run.clip_frames)
    places = places if places is not None else range(run.references)
    return join([make_sample(run, source, step, index) for index in places])
