"""From finished runs to a checkpoint folder that `fye animate --weights` takes."""

from __future__ import annotations

from pathlib import Path

import torch

from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.folder import check_free
from followyouremoji.checkpoints.model import Model, save_model
from followyouremoji.errors import SettingsError
from followyouremoji.training.checkpointing import averaged_weights, carries_decoder, check_layout
from followyouremoji.training.codec import load_codec
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.fingerprint import fingerprint, require_encoder
from followyouremoji.training.networks import Networks
from followyouremoji.training.origin import origin_of, read_origin
from followyouremoji.training.picks import open_picks


def export_model(
    denoiser_run: Path,
    folder: Path,
    *,
    name: str,
    steps: int | None = None,
    shared_noise: float | None = None,
    overwrite: bool,
    guidance_scale: float = 1.0,
    provenance: str | None = None,
) -> Path:
    """Write the averaged weights of a denoiser's run and its autoencoder's as a half-precision checkpoint; the
    decoder's are the run's, where one tuned it.

    `denoiser_run` is the run's TOML file; `steps`, `shared_noise` and `guidance_scale` become the model's defaults for
    sampling, None standing for `DenoiserRun.sampling`; `provenance` what it says about its training; by default, what
    is recorded of the run and those that it began with.

    Raises
    ------
    SettingsError : a file describes another kind of run, or one that learnt nothing of guidance where `guidance_scale`
        is above 1.
    WeightsError : a run has no weights, weights of other settings, or learnt from latents of another autoencoder.
    """
    run = load_denoiser_run(denoiser_run)
    check_free(folder, overwrite)
    guided = run.reference_dropout > 0
    if guidance_scale > 1 and run.distillation is not None:
        raise SettingsError(
            f"{denoiser_run}: the guidance of a distilled model is learnt: export it with a guidance scale of 1, not {guidance_scale:g}"
        )
    if guidance_scale > 1 and not guided:
        raise SettingsError(
            f"{denoiser_run}: a model learns guidance by portraits that are withheld, and this run's `reference_dropout` is 0: train it with "
            f"0.1, say, or export it with a guidance scale of 1, not {guidance_scale:g}"
        )
    codec = load_codec(run)
    own = codec.autoencoder.config
    with torch.device("meta"):
        networks = Networks(run.networks, own if carries_decoder(run.output) else None)
    weights = averaged_weights(run.output)
    check_layout(run.output, weights, networks)
    require_encoder(run.output, fingerprint(codec.autoencoder), run.autoencoder)
    networks.load_state_dict(weights, assign=True)
    networks.eval().requires_grad_(False)
    usual_steps, usual_noise = run.sampling
    config = ModelConfig(
        name=name,
        network=run.networks,
        autoencoder=own,
        picture_size=run.window
        or open_picks(run.drawings, run.data, run.clip_frames, run.optimisation.seed).size,
        framing="picture" if run.window is None else "window",
        antialiased_landmarks=run.landmarks.antialiased,
        landmark_contour=run.landmarks.contour,
        landmark_pupils=run.landmarks.pupils,
        landmark_points=run.landmarks.points,
        steps=usual_steps if steps is None else steps,
        guidance_scale=guidance_scale,
        shared_noise=usual_noise if shared_noise is None else shared_noise,
        window=run.targets if run.stage == 2 else 16,
        known_frames=run.masks_frames,
        guided=guided,
        provenance=provenance or (read_origin(run.output) or origin_of(run)).summary(),
    )
    return save_model(
        Model(config, networks, codec.with_decoder(networks.decoder)),
        folder,
        dtype=torch.float16,
        overwrite=overwrite,
    )
