"""Distillation of small decoders: a network that does a fraction of the work learns to decode as an autoencoder does.

The teacher encodes a picture and decodes its latents; the student decodes the same latents. Its loss is the
autoencoder's (`reconstruction_loss`), with what the teacher made in the picture's place.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.decoders import write_decoder
from followyouremoji.errors import SettingsError
from followyouremoji.networks import build_decoder
from followyouremoji.networks.compiling import compile_module
from followyouremoji.training.autoencoder import PictureBatch, join_pictures, make_picture, with_psnr
from followyouremoji.training.checkpointing import averaged_weights, check_layout, checkpoints
from followyouremoji.training.codec import load_autoencoder
from followyouremoji.training.config import load_decoder_run
from followyouremoji.training.fingerprint import fingerprint, require_encoder, write_fingerprint
from followyouremoji.training.loop import Outcome, Report, train
from followyouremoji.training.losses import reconstruction_loss
from followyouremoji.training.picks import open_picks
from followyouremoji.training.run import Run
from followyouremoji.training.settings import DecoderRun


def train_decoder(run: DecoderRun, minutes: float | None = None, report: Report | None = None) -> Outcome:
    """Train until the run's last step, or for `minutes`; a stopped run goes on exactly from its last checkpoint.

    The log's `psnr` compares the student's pictures with the teacher's.

    Raises SettingsError, WeightsError or DataError for settings, an autoencoder or pictures that cannot be used.
    """
    torch.manual_seed(run.optimisation.seed)
    source = open_picks(run.drawings, run.data, 2, run.optimisation.seed, run.window)
    teacher = load_teacher(run)
    encoder = fingerprint(teacher.autoencoder)
    if checkpoints(run.output):
        require_encoder(run.output, encoder, run.autoencoder)
    student = build_decoder(run.decoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if run.optimisation.compile:
        compile_module(student)
    state = Run(
        student,
        run.output,
        run.optimisation,
        samples=run.batch,
        keep=run.keep,
        tensorboard=run.tensorboard,
    )
    if state.is_main:
        write_fingerprint(run.output, encoder)
    teacher.to(state.device)

    def losses(batch: PictureBatch) -> dict[str, Tensor]:
        batch = batch.to(state.device)
        latents = teacher.encode(batch.pictures)
        taught = teacher.decode(latents)
        decoded = state.predict(latents)
        mse = F.mse_loss(decoded.detach().clamp(-1, 1), taught)
        return {"loss": reconstruction_loss(decoded, taught, batch.weight), "mse": mse}

    make = partial(make_picture, run, source)
    return train(state, run, make, join_pictures, losses, figures=with_psnr, minutes=minutes, report=report)


def load_teacher(run: DecoderRun) -> Codec:
    """The autoencoder that a run learns from. Raises SettingsError where its latents have other channels than the
    student reads."""
    autoencoder = load_autoencoder(run.autoencoder)
    if autoencoder.latent_channels != run.decoder.latent_channels:
        raise SettingsError(
            f"the autoencoder {run.autoencoder} makes latents of {autoencoder.latent_channels} channels, `latent_channels` of the "
            f"decoder is {run.decoder.latent_channels}"
        )
    return Codec(autoencoder).eval().requires_grad_(False)


def export_decoder(decoder_run: Path, file: Path, *, overwrite: bool) -> Path:
    """Write the averaged weights of a decoder's run as a file for `load_model(decoder=...)`, in half precision.

    Raises SettingsError where the TOML file describes another kind of run, WeightsError where the run has no weights or
    the file cannot be written.
    """
    run = load_decoder_run(decoder_run)
    decoder, weights = build_decoder(run.decoder), averaged_weights(run.output)
    check_layout(run.output, weights, decoder)
    decoder.load_state_dict(weights)
    return write_decoder(decoder, run.decoder, file, overwrite=overwrite)
