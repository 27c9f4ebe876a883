"""What every training run shares: the optimiser, the moving average, the log, and saving so that a run resumes exactly."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from followyouremoji.errors import WeightsError
from followyouremoji.training.config import Optimisation


class Average:
    """Exponential moving average of a module's parameters, with a warm-up so that early steps do not linger."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        parameters = dict(module.named_parameters())
        averages = [self.values[name] for name in self.values]
        torch._foreach_lerp_(averages, [parameters[name].detach() for name in self.values], 1 - decay)


class Run:
    """One module in training: `step(loss)` learns from a loss, `save` and the constructor make a stopped run go on as if unbroken.

    Everything random in a run is drawn from generators seeded by (seed, step), so the step number is all that has to be remembered.
    """

    def __init__(self, module: nn.Module, folder: Path, settings: Optimisation) -> None:
        self.module, self.folder, self.settings = module, folder, settings
        self.trained = [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.trained, lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=settings.weight_decay
        )
        self.average = Average(module, settings.ema)
        self.step_number = 0
        self.seconds = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = folder / "training.pt"
        if checkpoint.exists():
            self.resume(checkpoint)
        self.started = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.step_number >= self.settings.steps

    def resume(self, checkpoint: Path) -> None:
        try:
            state = torch.load(checkpoint, weights_only=True, mmap=True)
            self.module.load_state_dict(state["module"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average.values = {name: value.clone() for name, value in state["average"].items()}
            self.step_number, self.seconds = state["step"], state["seconds"]
        except (RuntimeError, KeyError, ValueError, EOFError, OSError) as error:
            raise WeightsError(
                f"{checkpoint} does not belong to this run's settings or is damaged: {error}"
            ) from None

    def step(self, loss: Tensor) -> float:
        """Learn from `loss`; a loss that is not finite is skipped. Returns the gradient's norm."""
        norm = 0.0
        if torch.isfinite(loss):
            loss.backward()
            norm = float(nn.utils.clip_grad_norm_(self.trained, self.settings.gradient_norm))
            for group in self.optimiser.param_groups:
                group["lr"] = self.settings.rate(self.step_number)
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.average.update(self.module, self.step_number)
        self.step_number += 1
        return norm

    def log(self, **values: float) -> None:
        """Append a row to the run's `log.csv`: step, seconds of training so far, learning rate and `values`."""
        row = {
            "step": self.step_number,
            "seconds": round(self.elapsed(), 1),
            "learning_rate": f"{self.settings.rate(self.step_number):.3g}",
            **{name: f"{value:.5g}" for name, value in values.items()},
        }
        path = self.folder / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def elapsed(self) -> float:
        return self.seconds + time.monotonic() - self.started

    def save(self) -> None:
        """Write the whole state to a temporary file and move it into place: the last good checkpoint survives any failure."""
        temporary = self.folder / "training.pt.part"
        state = {
            "module": self.module.state_dict(),
            "average": self.average.values,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step_number,
            "seconds": self.elapsed(),
        }
        torch.save(state, temporary)
        temporary.replace(self.folder / "training.pt")


def averaged_weights(folder: Path) -> dict[str, Tensor]:
    """The averaged parameters of a run's last checkpoint, by name."""
    path = folder / "training.pt"
    if not path.exists():
        raise WeightsError(f"{folder} holds no training run (no training.pt); train it first.")
    return torch.load(path, weights_only=True, mmap=True)["average"]
