"""The steps of a run since the last row of its log, also across a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from followyouremoji.training.processes import Processes

Means = dict[str, float]


class Recent:
    """Losses, gradient norms and time since the last row of the log. Skipped steps, whose losses are not finite, are
    left out of the means.

    Attributes
    ----------
    parts : the losses of each part of a batch, (losses,) each, in the order of `names`
    norms : the gradient's of each step
    steps : all of them, the skipped ones included
    seconds : that they took before a stop
    since : time.monotonic() of the others' beginning
    seconds_a_step : over the steps of the last row
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parts: list[Tensor] = []
        self.norms: list[float] = []
        self.steps, self.seconds, self.since = 0, 0.0, time.monotonic()
        self.seconds_a_step = 0.0

    def begin(self) -> None:
        """Training begins now, or goes on."""
        self.since = time.monotonic()

    def add(self, named: Mapping[str, Tensor], parts: list[Tensor], norm: float) -> None:
        if self.names != list(named):  # of a run whose settings were changed while it was stopped
            self.names, self.parts = list(named), []
        self.steps += 1
        if math.isfinite(norm):
            self.parts += parts
            self.norms.append(norm)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Around what is not training and shall not count as its time."""
        begun = time.monotonic()
        yield
        self.since += time.monotonic() - begun

    def row(self, mean: Callable[[Means], Means], figures: Callable[[Means], Means]) -> Means:
        """The figures of the log's next row, and begin anew. `mean` takes means over all processes, and `figures` makes
        of the losses what the log shows."""
        means = torch.stack(self.parts).mean(dim=0) if self.parts else torch.full([len(self.names)], math.nan)
        norm = sum(self.norms) / len(self.norms) if self.norms else math.nan
        now = time.monotonic()
        self.seconds_a_step = (self.seconds + now - self.since) / self.steps
        self.steps, self.seconds, self.since, self.parts, self.norms = 0, 0.0, now, [], []
        shown = figures(mean(dict(zip(self.names, means.tolist(), strict=True))))
        return {**shown, "gradient_norm": norm, "seconds_a_step": self.seconds_a_step}

    def state(self, processes: Processes) -> dict[str, Any]:
        """What a checkpoint keeps of it: the means over all processes, which each of them goes on with."""
        parts = processes.mean(torch.stack(self.parts)).cpu() if self.parts else None
        return {
            "names": self.names,
            "parts": parts,
            "norms": self.norms,
            "steps": self.steps,
            "seconds": self.seconds + time.monotonic() - self.since,
        }

    def restore(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from what `state` gave."""
        parts = state["parts"]
        self.names, self.norms, self.steps = state["names"], state["norms"], state["steps"]
        self.parts = [] if parts is None else list(parts.clone().to(device))
        self.seconds = state["seconds"]
