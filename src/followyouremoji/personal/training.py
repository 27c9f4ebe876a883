"""Personal fine-tuning: low-rank changes of the attentions, learnt from one person's pictures or clips (Hu et al. 2022,
with peft).

The batches, the objective and the sampling are those of the trainer; what differs is that the model's own weights stand
still. From single pictures the targets are warped (`personal.warping`), so the network learns a person's look, not
their way of moving; a share of drawn people with true expressions stays in the batches, so that the model does not
forget how eyes and mouths open.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from followyouremoji.checkpoints.codec import Codec
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.checkpoints.lora import DOWN, UP, Lora
from followyouremoji.checkpoints.model import Model
from followyouremoji.data.drawn import Drawn, DrawnPart
from followyouremoji.data.mixture import Mixture
from followyouremoji.data.source import ClipSource
from followyouremoji.errors import SettingsError
from followyouremoji.networks import FollowYourEmoji
from followyouremoji.personal.person import Person, held_out_views
from followyouremoji.personal.settings import LoraSettings
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.training.batch import make_batch, sample_rng
from followyouremoji.training.interruption import listening
from followyouremoji.training.networks import recompute_activations
from followyouremoji.training.objective import batch_losses
from followyouremoji.training.picks import ClipPicks, FramedPicks, Pick
from followyouremoji.training.settings import (
    DataPart,
    DenoiserRun,
    LandmarkOptions,
    Optimisation,
    Validation,
)
from followyouremoji.training.validation import animate, compare, grid_row, joined

ATTENTION = r"(denoiser|appearance_net)\..*attentions\.\d+\.transformer_blocks\.0\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
CONVOLUTIONS = r"(denoiser|appearance_net)\..*resnets\.\d+\.conv[12]"
FEW_STEPS = (
    4  # a model sampled in so few steps starts them from almost pure noise: that is then practised most
)
TERMINAL_SHARE = 0.6  # as the bundled model was trained
NON_FINITE_LIMIT = 10  # steps in a row without a finite loss and gradient
DIVERGED = "the training of the LoRA failed: at step {step} its loss or gradient is not finite; try a smaller learning rate"

Report = Callable[[int, int, float], None]
"""Called after each step with the steps done, the steps in all, and the step's loss."""
Keep = Callable[[Lora], None]
"""Given what is learnt so far, now and then and where a signal ends the training."""


class Interrupted(Exception):
    """`signal` ended the training of a LoRA after `steps`; what it had learnt by then has been handed out to be
    kept."""

    def __init__(self, signal: signal.Signals, steps: int) -> None:
        super().__init__(f"{signal.name} after {steps} steps")
        self.signal, self.steps = signal, steps


@dataclass(frozen=True)
class LoraResult:
    """What a training gave. `before` and `after` are means over the held-out views, see `validation.compare`; `loss` is
    that of the last steps."""

    lora: Lora
    before: dict[str, float]
    after: dict[str, float]
    loss: float
    grid: np.ndarray  # uint8 (height, width, 3): rows of portrait, landmarks, before, truth, after, truth


def lora_run(model: Model, settings: LoraSettings) -> DenoiserRun:
    """The training of single frames that a LoRA's is, for the trainer's batches and sampling."""
    config = model.config
    return DenoiserRun(
        stage=1,
        output=Path(),
        autoencoder=Path(),
        image_encoder=Path() if config.network.image_source == "clip" else None,
        data=(DataPart(drawn=DrawnPart()),),
        network=config.network,
        optimisation=Optimisation(
            steps=settings.steps,
            learning_rate=settings.learning_rate,
            schedule="linear",
            warmup=min(10, settings.steps),
            seed=settings.seed,
        ),
        references=settings.references,
        targets=settings.targets,
        span=settings.targets + 1,
        landmarks=LandmarkOptions(
            contour=config.landmark_contour,
            pupils=config.landmark_pupils,
            antialiased=config.antialiased_landmarks,
        ),
        window=config.picture_size if config.framing == "window" else None,
        terminal_share=TERMINAL_SHARE if config.steps <= FEW_STEPS else 0.0,
        validation=Validation(steps=config.steps, shared_noise=config.shared_noise),
    )


def train_lora(
    model: Model,
    person: Person,
    settings: LoraSettings,
    about: str = "",
    report: Report | None = None,
    keep: Keep | None = None,
) -> LoraResult:
    """Learn a LoRA; the model is as it was when this returns or raises.

    Parameters
    ----------
    model : with float32 weights.
    person : from `read_person`, of `person_size`.
    about : goes into the file, for people.
    keep : given what is learnt so far every `save_every` steps and at the last step, unless that step was skipped
        because its loss or gradient was not finite; and at SIGTERM or Ctrl-C.

    Raises
    ------
    SettingsError : losses or gradients are not finite, or peft is missing.
    Interrupted : SIGTERM or Ctrl-C came; `keep` has what was learnt.
    """
    run, networks, codec = lora_run(model, settings), model.networks, model.codec
    views = held_out_picks(person, run, settings.views)
    before = [animate(networks, codec, run, pick) for pick in views]
    with adapted(networks, settings):

        def learnt() -> Lora:
            return Lora(adapter_tensors(networks), settings.rank, settings.alpha, model.config.name, about)

        def stepped(done: int, loss: float, learns: bool, stop: bool) -> None:
            if report is not None:
                report(done, settings.steps, loss)
            due = learns and (done % settings.save_every == 0 or done == settings.steps)
            if keep is not None and (stop or due):
                keep(learnt())

        loss = _learn(networks, codec, run, _source(person, settings), stepped)
        networks.eval()
        after = [animate(networks, codec, run, pick) for pick in views]
        lora = learnt()
    rows = [
        joined([grid_row(pick, one, run), two[0], pick.targets[0]], axis=1)
        for pick, one, two in zip(views[:6], before, after, strict=False)
    ]
    return LoraResult(lora, _means(before, views), _means(after, views), loss, joined(rows, axis=0))


@contextmanager
def adapted(networks: nn.Module, settings: LoraSettings) -> Iterator[None]:
    """Networks whose layers carry trainable low-rank changes; on leaving, the layers are the plain ones again, in
    evaluation mode."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        raise SettingsError("training a LoRA needs peft: pip install 'followyouremoji[train]'") from error
    targets = f"({ATTENTION}|{CONVOLUTIONS})" if settings.convolutions else ATTENTION
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=targets)  # type: ignore[arg-type]
    learnt = [parameter for parameter in networks.parameters() if parameter.requires_grad]
    networks.requires_grad_(False)
    torch.manual_seed(settings.seed)
    inject_adapter_in_model(config, networks)
    if settings.checkpointing:
        recompute_activations(networks)
    try:
        yield
    finally:
        vars(networks).pop("peft_config", None)
        for module in list(networks.modules()):
            module.__dict__.pop("forward", None)  # what recomputes activations
            for name, child in list(module.named_children()):
                if hasattr(child, "lora_A"):
                    setattr(module, name, child.base_layer)
        for parameter in learnt:
            parameter.requires_grad_(True)
        networks.eval()


def adapter_tensors(networks: nn.Module) -> dict[str, Tensor]:
    """The low-rank factors of adapted networks, by the names that a LoRA file has."""
    tensors: dict[str, Tensor] = {}
    for name, module in networks.named_modules():
        if hasattr(module, "lora_A"):
            layer: Any = module
            tensors[name + DOWN] = layer.lora_A["default"].weight.detach().clone()
            tensors[name + UP] = layer.lora_B["default"].weight.detach().clone()
    return tensors


def held_out_picks(person: Person, run: DenoiserRun, count: int) -> list[Pick]:
    """Portraits with one target each, in views that are not trained on."""
    source = FramedPicks(ClipPicks(held_out_views(person), 2), run.window, run.landmarks.pupils)
    return [
        source.pick(i, sample_rng(run.optimisation.seed, 0, i), 1, successive=False) for i in range(count)
    ]


def person_size(config: ModelConfig) -> int:
    """Pixels a side of the pictures that a person is read in: a face's window takes about half of a crop around it."""
    return config.picture_size * (2 if config.framing == "window" else 1)


def _source(person: Person, settings: LoraSettings) -> ClipSource:
    if settings.drawn_share == 0:
        return person
    drawn = Drawn(size=person.size, seed=settings.seed, acting="singles")
    return Mixture((person, drawn), (1 - settings.drawn_share, settings.drawn_share), settings.seed)


def _learn(
    networks: FollowYourEmoji,
    codec: Codec,
    run: DenoiserRun,
    source: ClipSource,
    stepped: Callable[[int, float, bool, bool], None],
) -> float:
    """Train what is trainable; returns the mean loss of the last tenth of the steps.

    A step whose loss or gradient is not finite changes nothing. `stepped` is called with the steps done, the step's
    loss, whether the step was taken, and whether a signal asks to leave; then Interrupted is raised. Raises
    SettingsError after too many skipped steps in a row, or where all of the last tenth were.
    """
    picks = FramedPicks(ClipPicks(source, run.clip_frames), run.window, run.landmarks.pupils)
    trained = [parameter for parameter in networks.parameters() if parameter.requires_grad]
    device = trained[0].device
    optimiser = torch.optim.AdamW(
        trained, lr=run.optimisation.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )
    alphas_cumprod = ddim_schedule(1).alphas_cumprod.to(device)
    steps, losses, skipped = run.optimisation.steps, dict[int, float](), 0
    networks.train()
    with listening(announce=True) as interruption:
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = run.optimisation.rate(step)
            batch = make_batch(run, picks, step).to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = batch_losses(networks, run, codec, batch, alphas_cumprod).total
            loss.backward()
            norm = nn.utils.clip_grad_norm_(trained, run.optimisation.gradient_norm)
            value, finite = loss.item(), bool(torch.isfinite(loss) & torch.isfinite(norm))
            if finite:
                optimiser.step()
                losses[step] = value
            optimiser.zero_grad(set_to_none=True)
            skipped = 0 if finite else skipped + 1
            if skipped == NON_FINITE_LIMIT:
                raise SettingsError(DIVERGED.format(step=step + 1))
            stop = interruption.signal  # once: one that comes from here on ends the next step
            stepped(step + 1, value, finite, stop is not None)
            if stop is not None:
                raise Interrupted(stop, step + 1)
    last = [losses[step] for step in range(steps - max(1, steps // 10), steps) if step in losses]
    if not last:
        raise SettingsError(DIVERGED.format(step=steps))
    return float(np.mean(last))


def _means(generated: list[np.ndarray], views: list[Pick]) -> dict[str, float]:
    figures = [compare(pictures, pick) for pictures, pick in zip(generated, views, strict=True)]
    return {name: float(np.mean([row[name] for row in figures])) for name in figures[0]}
