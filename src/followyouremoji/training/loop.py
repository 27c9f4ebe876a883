"""The loop that all runs go through: batches in, steps, logs, validation, checkpoints, and leaving when time or a
signal says so."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from followyouremoji.errors import UserError, WeightsError
from followyouremoji.training.feed import feed
from followyouremoji.training.interruption import listening
from followyouremoji.training.recent import Means
from followyouremoji.training.run import Diverged, Run
from followyouremoji.training.settings import RunSettings

OUT_OF_TIME = 1  # a wish to stop, as are the numbers of the signals that are listened to, all higher


@dataclass(frozen=True)
class Status:
    """Where a run is; `figures` are those of its last row in the log."""

    step: int
    steps: int
    seconds_a_step: float  # over the steps since the last row
    skipped: int
    figures: Mapping[str, float]
    saved: bool  # whether the state of this step is on the disk


Report = Callable[[Status], None]
"""Called after each step, in the main process."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: "finished", "time" or the signal that came; and whether this process reports it."""

    step: int
    reason: str | signal.Signals
    is_main: bool

    @property
    def exit_code(self) -> int:
        """0, or 128 and the signal's number as a shell has it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.reason if isinstance(self.reason, signal.Signals) else 0

    def summary(self) -> str:
        """The outcome in a user's words."""
        if self.reason == "finished":
            return f"finished after {self.step} steps."
        why = self.reason.name if isinstance(self.reason, signal.Signals) else "time is over"
        return f"saved at step {self.step} ({why}); the same command goes on from there."


def train(
    state: Run,
    run: RunSettings,
    make: Callable[[int, int], Any],
    join: Callable[[list[Any]], Any],
    losses: Callable[[Any], dict[str, Tensor]],
    *,
    pin: Callable[[Any], Any] | None = None,
    figures: Callable[[Means], Means] = dict,
    validate: tuple[int, Callable[[], None]] | None = None,
    minutes: float | None = None,
    report: Report | None = None,
) -> Outcome:
    """Train to the run's last step, for `minutes`, or until a signal asks to leave; the state is saved in each case.

    Parameters
    ----------
    make, join : a sample of (step, place in the joined batch), and samples as a batch; see `feed`.
    losses : of a batch, by name; the first is what is learnt.
    figures : what the log shows of the losses' means.
    validate : called every so many steps, in all processes, after the step's state is saved: should judging fail,
        nothing learnt is lost.
    """
    batches = feed(make, join, state.share, state.step_number, run.optimisation.steps, run.workers, pin)
    recent, shown, begun = state.recent, Means(), time.monotonic()
    recent.begin()
    reason: str | signal.Signals = "finished"
    with closing(batches), listening(announce=state.is_main) as interruption:
        try:
            while not state.finished:
                parts = []
                for part in range(state.share.accumulation):
                    batch = next(batches)
                    with state.part(last=part == state.share.accumulation - 1):
                        named = losses(batch)
                        state.backward(next(iter(named.values())))
                    parts.append(torch.stack([value.detach() for value in named.values()]))
                recent.add(named, parts, state.update())
                step = state.step_number
                if step % run.log_every == 0:
                    shown = recent.row(state.mean, figures)
                    if state.device.type == "cuda":  # the most that this process's GPU held so far
                        shown["gpu_gib"] = torch.cuda.max_memory_allocated(state.device) / 2**30
                    state.log(shown)
                out_of_time = minutes is not None and time.monotonic() - begun > 60 * minutes
                stop = state.processes.highest(interruption.signal or OUT_OF_TIME * out_of_time)
                leaving = state.finished or stop > 0
                judged = validate is not None and (step % validate[0] == 0 or state.finished)
                if step % run.save_every == 0 or judged or leaving:
                    state.save(leaving=leaving)
                if validate is not None and judged:
                    with recent.pause():
                        validate[1]()
                if report is not None and state.is_main:
                    saved = state.saved_step == step
                    report(
                        Status(
                            step, run.optimisation.steps, recent.seconds_a_step, state.skipped, shown, saved
                        )
                    )
                if stop and not state.finished:
                    reason = "time" if stop == OUT_OF_TIME else signal.Signals(stop)
                    break
            state.processes.wait_for_everyone()
        except UserError as error:
            # Of several processes, the others would have to save too, and know nothing of the error.
            if state.processes.count == 1 and not isinstance(error, (WeightsError, Diverged)):
                state.save(leaving=True)
            raise
        finally:
            state.close()
    return Outcome(state.step_number, reason, state.is_main)
