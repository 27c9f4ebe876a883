"""Looking at a run while it trains: losses, figures and sample grids of the averaged weights, on portraits that stay
the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import chain
from typing import Any

import cv2
import numpy as np
import torch

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.model import Model
from followyouremoji.face.drawing import LandmarkStyle, face_mask
from followyouremoji.face.timeline import Timeline
from followyouremoji.fidelity import l1, psnr, ssim
from followyouremoji.generation import generate
from followyouremoji.media.pictures import write_picture
from followyouremoji.networks import FollowYourEmoji
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.settings import SamplingSettings
from followyouremoji.training.average import full_tensor
from followyouremoji.training.batch import landmark_pictures, sample_of
from followyouremoji.training.distillation import Teacher
from followyouremoji.training.journal import VALIDATION_LOG
from followyouremoji.training.networks import Networks
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.picks import Pick, PickSource, check_drawings, check_size, open_picks
from followyouremoji.training.run import Run
from followyouremoji.training.settings import DenoiserRun, Validation

FOLDER = "samples"
STREAM = 1_000_003  # of the generators, apart from the steps'; added to the seed, it draws other people than training's
LARGEST_TILE = 256  # pixels
GAP = 4  # pixels between the tiles of a grid


def validation_picks(
    run: DenoiserRun, settings: Validation, training: PickSource, encoder: str
) -> PickSource:
    """The people that a run is judged on: those that its validation names, else those of its training.

    One pick is made of them, so that what cannot be used is known before the first step. `encoder` is the fingerprint
    of the run's autoencoder. Raises SettingsError or DataError where they cannot be used.
    """
    if settings.drawings is None and not settings.data:
        return training
    source = open_picks(
        settings.drawings,
        settings.data,
        run.clip_frames,
        run.optimisation.seed + STREAM,
        run.window,
        run.landmarks.pupils,
    )
    check_size(source.size, run.network.picture_multiple, "`validation`")
    check_drawings(source, 1, run.targets, run.network.latent_channels, encoder)
    source.pick(0, np.random.default_rng(0), run.targets, successive=run.stage == 2)
    return source


class Validator:
    """Validates a run on the same portraits each time, shared by all processes."""

    def __init__(
        self,
        run: DenoiserRun,
        state: Run,
        codec: Codec,
        source: PickSource,
        teacher: Teacher | None = None,
    ) -> None:
        assert run.validation is not None
        self.settings = run.validation
        self.run = dataclasses.replace(run, reference_dropout=0.0, picture_loss=0.0, tune_decoder=False)
        self.state, self.codec, self.source, self.teacher = state, codec, source, teacher

    def validate(self) -> None:
        """Write a row of figures to `validation.csv` and a grid to the folder `samples`; both also go to
        TensorBoard."""
        networks = averaged_networks(self.state)
        codec = self.codec.with_decoder(networks.decoder)
        share = range(self.state.share.process, self.settings.samples, self.state.share.processes)
        own = [self.examine(networks, codec, index) for index in share]
        results = sorted(chain(*self.state.processes.gathered(own)), key=lambda result: result["index"])
        if self.state.journal is not None:
            step = self.state.step_number
            names = list(results[0]["figures"])
            means = {
                name: float(np.nanmean([result["figures"][name] for result in results])) for name in names
            }
            self.state.journal.write(VALIDATION_LOG, step, means)
            grid = joined([result["row"] for result in results[: self.settings.rows]], axis=0)
            folder = self.state.folder / FOLDER
            folder.mkdir(exist_ok=True)
            write_picture(folder / f"step-{step:08d}.png", grid, overwrite=True)
            self.state.journal.picture("samples", step, grid)

    @torch.no_grad()
    def examine(self, networks: Networks, codec: Codec, index: int) -> dict[str, Any]:
        """Losses, figures and the grid's row of one portrait."""
        run, device = self.run, self.state.device
        rng = np.random.default_rng((run.optimisation.seed, STREAM, index))
        pick = self.source.pick(index, rng, run.targets, successive=run.stage == 2)
        alphas_cumprod = ddim_schedule(1).alphas_cumprod.to(device)
        with self.state.autocast():
            batch = sample_of(run, pick, rng).to(device)
            losses = batch_losses(networks, run, codec, batch, alphas_cumprod, self.teacher)
            generated = animate(networks, codec, run, pick)
        return {
            "index": index,
            "figures": {
                "diffusion": float(losses.diffusion),
                "facial": float(losses.facial),
                **compare(generated, pick),
            },
            "row": grid_row(pick, generated, run) if index < self.settings.rows else None,
        }


def averaged_networks(state: Run) -> Networks:
    """The run's networks with their averaged weights, apart from those in training; tensors are shared with them where
    they can be."""
    module = state.module
    assert isinstance(module, Networks)
    with torch.device("meta"):
        networks = Networks(module.config, module.autoencoder)
    weights = {name: full_tensor(value) for name, value in module.state_dict().items()}
    weights |= {name: full_tensor(value) for name, value in state.average.values.items()}
    networks.load_state_dict(weights, assign=True)
    return networks.eval().requires_grad_(False)


class PickedClip:
    """The targets of a pick as what is generated from its portrait and their landmarks, see `generation.Clip`."""

    def __init__(self, pick: Pick, style: LandmarkStyle, warped: bool) -> None:
        self.picture = pick.portrait
        self._drawn = landmark_pictures(pick.points, pick.portrait.shape[0], style)
        self._warped = pick.warped_portraits(pick.points) if warped else None

    def reference_landmark_picture(self) -> np.ndarray:
        return self._drawn[0]

    def landmark_picture(self, frame: int) -> np.ndarray:
        return self._drawn[1 + frame]

    def warped_picture(self, frame: int) -> np.ndarray:
        assert self._warped is not None
        return self._warped[frame]


def animate(networks: FollowYourEmoji, codec: Codec, run: DenoiserRun, pick: Pick) -> np.ndarray:
    """The targets of a pick, generated from its portrait and their landmarks alone: uint8 (frames, size, size, 3)."""
    assert run.validation is not None
    network, frames = networks.config, len(pick.points) - 1
    steps, shared = run.sampling
    settings = SamplingSettings(
        steps=run.validation.steps or steps,
        seed=run.optimisation.seed,
        shared_noise=shared if run.validation.shared_noise is None else run.validation.shared_noise,
        window=max(3, min(frames, network.max_frames)),
        strategy="keyframes" if network.layout == "paper" else "windows",
    )
    config = ModelConfig(
        name="in training",
        network=network,
        autoencoder=codec.autoencoder.config,
        picture_size=len(pick.portrait),
        window=settings.window,
    )
    clip = PickedClip(pick, run.landmarks.style, network.warped_reference)
    generated = generate([Model(config, networks, codec)], clip, Timeline.straight(frames), settings)
    return np.stack([picture for _, picture, _ in generated])


def compare(generated: np.ndarray, pick: Pick) -> Mapping[str, float]:
    """Figures of generated targets: L1 of the whole picture and inside the face mask, PSNR in dB, SSIM."""
    size = generated.shape[1]
    faces = np.stack([face_mask(points, (size, size)) for points in pick.points[1:]])
    pairs = list(zip(generated, pick.targets, strict=True))
    return {
        "l1": l1(generated, pick.targets),
        "face_l1": l1(generated, pick.targets, faces),
        "psnr": float(np.mean([psnr(*pair) for pair in pairs])),
        "ssim": float(np.mean([ssim(*pair) for pair in pairs])),
    }


def grid_row(pick: Pick, generated: np.ndarray, run: DenoiserRun) -> np.ndarray:
    """The portrait, and of the first and last target the landmarks, what was generated, and the truth."""
    size = pick.portrait.shape[0]
    tiles = [pick.portrait]
    for target in sorted({0, len(generated) - 1}):
        landmarks = landmark_pictures(pick.points[[1 + target]], size, run.landmarks.style)[0]
        tiles += [landmarks, generated[target], pick.targets[target]]
    side = min(size, LARGEST_TILE)
    return joined([cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA) for tile in tiles], axis=1)


def joined(pictures: list[np.ndarray], axis: int) -> np.ndarray:
    """Pictures of one size beside (axis 1) or below each other (axis 0), with white gaps."""
    padding = [(0, 0), (0, 0), (0, 0)]
    padding[axis] = (0, GAP)
    padded = [np.pad(picture, padding, constant_values=255) for picture in pictures[:-1]]
    return np.concatenate([*padded, pictures[-1]], axis=axis)
