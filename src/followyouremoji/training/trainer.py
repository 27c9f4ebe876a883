"""Training of the appearance net, denoiser, landmark encoder and image prompt in the paper's two stages (Sec. 3,
4.1)."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.errors import SettingsError, some_of
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.average import full_tensor
from followyouremoji.training.batch import Batch, join, make_sample
from followyouremoji.training.checkpointing import carries_decoder, checkpoints
from followyouremoji.training.codec import load_codec
from followyouremoji.training.distillation import load_teacher
from followyouremoji.training.fingerprint import fingerprint, require_encoder, write_fingerprint
from followyouremoji.training.loop import Outcome, Report, train
from followyouremoji.training.networks import Networks, recompute_activations
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.origin import origin_of, write_origin
from followyouremoji.training.picks import check_drawings, check_size, open_picks
from followyouremoji.training.run import Run
from followyouremoji.training.settings import DenoiserRun
from followyouremoji.training.starts import StartReport, initial_weights
from followyouremoji.training.validation import Validator, validation_picks

START_FILE = "start.txt"  # what a run's first weights came from
ALL_NEW = "All networks began with random weights: the config has no `initial`."


def has_decoder(run: DenoiserRun) -> bool:
    """Whether a run's networks bring the autoencoder's decoder: it tunes it, or goes on from a run that did."""
    if run.tune_decoder:
        return True
    if checkpoints(run.output):
        return carries_decoder(run.output)
    return run.start is not None and run.start.run is not None and carries_decoder(run.start.run)


def build_networks(run: DenoiserRun, codec: Codec) -> tuple[Networks, StartReport | None]:
    """The networks of a run as they are before its first step, a function of its seed and of what it starts from; and
    what that gave."""
    torch.manual_seed(run.optimisation.seed)
    networks = Networks(run.networks, codec.autoencoder.config if has_decoder(run) else None)
    if networks.decoder is not None:
        networks.decoder.load_state_dict(codec.autoencoder.get_submodule("decoder").state_dict())
    report = None
    if run.start is None:
        networks.init_from_scratch()
    elif not checkpoints(run.output):  # a run that goes on has its own
        report = initial_weights(networks, run.start)
    choose_trained(networks, run)
    if report is not None and (run.distillation is not None or run.stage == 2):
        require_learning(networks, report, "stage 2" if run.distillation is None else "a distillation")
    if run.optimisation.checkpointing:
        recompute_activations(networks)
    if run.optimisation.compile:
        networks.compile_parts()
    return networks, report


def choose_trained(networks: Networks, run: DenoiserRun) -> None:
    """Freeze what a run does not train."""
    if run.distillation is not None:
        networks.freeze_all_but_denoiser()
    elif run.stage == 2:
        networks.freeze_spatial_layers()
    if networks.decoder is not None:
        networks.decoder.requires_grad_(run.tune_decoder)


def require_learning(networks: Networks, report: StartReport, kind: str) -> None:
    """Raise SettingsError where layers that a start did not fill would stand still in this kind of training."""
    frozen = {name for name, parameter in networks.named_parameters() if not parameter.requires_grad}
    new = [f"{network}.{name}" for network, names in report.fresh.items() for name in names]
    if never_learnt := [name for name in new if name in frozen]:
        raise SettingsError(
            f"`initial` leaves layers new that {kind} does not train: {some_of(never_learnt)}. Begin with the output of a stage 1, or with a "
            "model of the layout that `[network]` names"
        )


def codec_of(run: DenoiserRun, codec: Codec, networks: Networks) -> Codec:
    """The codec with the networks' decoder where they bring one: itself where it learns, else a copy, which FSDP
    leaves whole."""
    if networks.decoder is None or run.tune_decoder:
        return codec.with_decoder(networks.decoder)
    values = {name: full_tensor(value).cpu() for name, value in networks.decoder.state_dict().items()}
    codec.autoencoder.get_submodule("decoder").load_state_dict(values)
    return codec


def require_encoder_of_start(run: DenoiserRun, begins: bool, encoder: str) -> None:
    """Raise WeightsError where a stopped run, or the one whose layers a stage 2 or a distillation keeps, learnt from
    latents of another encoder."""
    if not begins:
        require_encoder(run.output, encoder, run.autoencoder)
    elif (
        (run.stage == 2 or run.distillation is not None)
        and run.start is not None
        and run.start.run is not None
    ):
        require_encoder(run.start.run, encoder, run.autoencoder)


def train_denoiser(run: DenoiserRun, minutes: float | None = None, report: Report | None = None) -> Outcome:
    """Train a stage until its last step, or for `minutes`; a stopped run goes on exactly from its last checkpoint.

    Raises SettingsError, WeightsError or DataError for settings, weights or clips that cannot be used, Diverged where
    training fails, and WeightsError where a checkpoint cannot be saved.
    """
    source = open_picks(
        run.drawings,
        run.data,
        run.clip_frames,
        run.optimisation.seed,
        run.window,
        run.landmarks.pupils,
    )
    check_size(source.size, run.network.picture_multiple, "`drawings`" if run.drawings else "`data`")
    codec = load_codec(run)
    encoder, begins = fingerprint(codec.autoencoder), not checkpoints(run.output)
    check_drawings(source, run.references, run.targets, run.network.latent_channels, encoder)
    judged = None if run.validation is None else validation_picks(run, run.validation, source, encoder)
    require_encoder_of_start(run, begins, encoder)
    teacher = None if run.distillation is None else load_teacher(run, encoder)
    networks, start_report = build_networks(run, codec)
    origin = origin_of(run) if begins else None
    state = Run(
        networks,
        run.output,
        run.optimisation,
        samples=run.references,
        rates=run.rates,
        keep=run.keep,
        tensorboard=run.tensorboard,
    )
    if origin is not None and state.is_main:
        write_origin(run.output, origin)
        write_fingerprint(run.output, encoder)
        lines = [ALL_NEW] if start_report is None else start_report.lines()
        (run.output / START_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    codec = codec_of(run, codec, networks).to(state.device)
    alphas_cumprod = ddim_schedule(1).alphas_cumprod.to(state.device)
    if teacher is not None:
        teacher = teacher.to(state.device)
    validator = None if judged is None else Validator(run, state, codec, judged, teacher)

    def losses(batch: Batch) -> dict[str, Tensor]:
        batch = batch.to(state.device)
        found = batch_losses(state.predict, run, codec, batch, alphas_cumprod, teacher)
        parts = {"total": found.total, "diffusion": found.diffusion, "facial": found.facial}
        return parts if found.picture is None else {**parts, "picture": found.picture}

    return train(
        state,
        run,
        partial(make_sample, run, source),
        join,
        losses,
        pin=Batch.pinned if state.device.type == "cuda" else None,
        figures=lambda means: {name: value for name, value in means.items() if name != "total"},
        validate=None if validator is None else (validator.settings.every, validator.validate),
        minutes=minutes,
        report=report,
    )
