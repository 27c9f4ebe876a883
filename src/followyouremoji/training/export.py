"""From finished runs to a checkpoint folder that `fye animate --weights` takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.model import Model, save_model
from followyouremoji.errors import SettingsError
from followyouremoji.training.autoencoder import finished_autoencoder
from followyouremoji.training.config import DenoiserRun, load_autoencoder_run, load_run
from followyouremoji.training.drawings import Drawings
from followyouremoji.training.run import averaged_weights
from followyouremoji.training.trainer import Networks

PROVENANCE = "Trained by the Follow Your Emoji project on portraits that it drew itself; it knows drawn faces, not photographs."


def export_model(
    denoiser_run: Path,
    folder: Path,
    *,
    name: str,
    steps: int,
    shared_noise: float,
    overwrite: bool,
) -> Path:
    """Write the averaged weights of a denoiser's run and its autoencoder's as a half-precision checkpoint.

    `denoiser_run` is the run's TOML file; `steps` and `shared_noise` become the model's defaults for sampling.
    Raises SettingsError where a file describes another kind of run, WeightsError where a run has no weights yet.
    """
    run = load_run(denoiser_run)
    if not isinstance(run, DenoiserRun):
        raise SettingsError(f"{denoiser_run} does not describe a denoiser's run.")
    autoencoder = finished_autoencoder(load_autoencoder_run(run.autoencoder))
    network = dataclasses.replace(run.network, motion_modules=run.stage == 2)
    networks = Networks(network).eval()
    networks.load_state_dict(averaged_weights(run.output))
    config = ModelConfig(
        name=name,
        network=network,
        autoencoder=autoencoder.config,
        picture_size=Drawings.open(run.drawings).pictures.shape[2],
        antialiased_landmarks=True,
        steps=steps,
        guidance_scale=1.0,
        shared_noise=shared_noise,
        window=run.targets if run.stage == 2 else 16,
        provenance=PROVENANCE,
    )
    model = Model(
        config=config,
        appearance_net=networks.appearance_net,
        denoiser=networks.denoiser,
        landmark_encoder=networks.landmark_encoder,
        qformer=networks.qformer,
        autoencoder=autoencoder,
        image_encoder=None,
    )
    return save_model(model, folder, dtype=torch.float16, overwrite=overwrite)
