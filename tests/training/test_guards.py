"""What goes wrong while training: losses that are not finite, signals, and runs of other settings."""

import csv
import dataclasses
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.training.average import Average
from followyouremoji.training.batch import Batch, join, make_sample
from followyouremoji.training.checkpointing import checkpoints, newest_state, read_checkpoint
from followyouremoji.training.loop import Outcome, Status, train
from followyouremoji.training.optimiser import make_optimiser
from followyouremoji.training.picks import ClipPicks
from followyouremoji.training.run import Diverged, Run
from followyouremoji.training.settings import DenoiserRun, Optimisation

from .tiny import Faces, networks_of, run_of


class Quick:
    """A run of the tiny networks whose loss is quick: the squares of some of their weights, not a number at chosen
    steps."""

    def __init__(self, run: DenoiserRun, broken: range = range(0)) -> None:
        self.run, self.broken = run, broken
        self.state = Run(
            networks_of(run), run.output, run.optimisation, samples=4, keep=run.keep, tensorboard=False
        )
        self.reports: list[Status] = []

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        loss = batch.noise.mean() * self.state.module.denoiser.conv_in.weight.square().sum()  # type: ignore[union-attr, operator]
        return {"total": loss * float("nan") if self.state.step_number in self.broken else loss}

    def train(self) -> Outcome:
        make = partial(make_sample, self.run, ClipPicks(Faces(), 4))
        return train(self.state, self.run, make, join, self.losses, report=self.reports.append)


def steps_of(folder: Path) -> list[int]:
    return [int(file.stem.split("-")[1]) for file in checkpoints(folder)]


def test_steps_without_a_number_are_skipped_and_counted(tmp_path) -> None:
    quick = Quick(run_of(tmp_path, steps=6, save_every=1, keep=9), broken=range(2, 4))
    quick.train()
    assert quick.state.skipped == quick.reports[-1].skipped == 2
    assert steps_of(tmp_path) == [1, 2, 5, 6]  # states that skipped steps led to are not saved
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [row["skipped"] for row in rows] == ["0", "0", "1", "2", "2", "2"]
    assert rows[2]["total"] == "nan"
    rates = [quick.run.optimisation.rate(step) for step in range(6)]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(rates, rel=1e-3)
    assert all(bool(value.isfinite().all()) for value in newest_state(tmp_path)["module"].values())


def test_a_run_that_ends_on_skipped_steps_has_saved(tmp_path) -> None:
    quick = Quick(run_of(tmp_path, steps=6, save_every=1, keep=9), broken=range(4, 6))
    outcome = quick.train()
    assert outcome.reason == "finished"
    assert steps_of(tmp_path) == [1, 2, 3, 4, 6]
    good, last = (read_checkpoint(file)["module"] for file in checkpoints(tmp_path)[-2:])
    assert all(torch.equal(value, last[name]) for name, value in good.items())  # a skip changes nothing
    again = Quick(quick.run)
    assert again.state.finished
    assert again.state.skipped == 2
    again.state.close()


def test_a_run_that_is_stopped_on_a_skipped_step_has_saved(tmp_path) -> None:
    quick = Quick(run_of(tmp_path, steps=50), broken=range(2, 3))
    quick.reports = Stopper(signal.SIGTERM)  # type: ignore[assignment]
    assert "saved at step 3" in quick.train().summary()
    assert steps_of(tmp_path) == [3]


def test_a_validation_that_fails_costs_nothing_of_what_was_learnt(tmp_path) -> None:
    quick = Quick(run_of(tmp_path, steps=6, save_every=5))

    def fail() -> None:
        raise RuntimeError("no memory to judge with")

    make = partial(make_sample, quick.run, ClipPicks(Faces(), 4))
    with pytest.raises(RuntimeError, match="no memory"):
        train(quick.state, quick.run, make, join, quick.losses, validate=(2, fail))
    assert steps_of(tmp_path) == [2]


def test_one_training_at_a_time_works_in_a_folder(tmp_path) -> None:
    run = run_of(tmp_path, steps=2)
    first = Quick(run)
    part = tmp_path / "checkpoints" / ".step-00000001.0a1b2c3d.part.pt"
    part.mkdir(parents=True)
    with pytest.raises(SettingsError, match="another training is at work in"):
        Quick(run)
    assert part.exists()
    first.train()
    Quick(run).state.close()  # now one may: it removes what a killed one left
    assert not part.exists()
    assert steps_of(tmp_path) == [2]


def test_processes_that_were_not_told_of_each_other_do_not_train_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SettingsError, match=r"started 2 processes .*launch with torchrun"):
        Quick(run_of(tmp_path, steps=1))
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_refused_leaves_its_folder_to_others(tmp_path) -> None:
    Quick(run_of(tmp_path, steps=1)).train()
    with pytest.raises(WeightsError, match="does not belong to this run's settings") as refusal:
        Quick(run_of(tmp_path, stage=2, steps=2))
    assert Quick(run_of(tmp_path, steps=2)).train().step == 2
    del refusal


@pytest.mark.parametrize("optimiser", ["adamw", "adamw8bit"])
def test_moments_of_another_optimiser_are_refused(tmp_path, monkeypatch, optimiser) -> None:
    Quick(run_of(tmp_path, steps=1)).train()
    if optimiser == "adamw":  # as if the run had been trained in 8 bits
        file = checkpoints(tmp_path)[-1]
        state = torch.load(file, weights_only=True)
        state["optimiser"] = {
            name: {"step": 1, "state1": moments["exp_avg"], "state2": moments["exp_avg_sq"]}
            for name, moments in state["optimiser"].items()
        }
        torch.save(state, file)
    else:

        def without_library(settings: Optimisation, *more: Any) -> torch.optim.Optimizer:
            return make_optimiser(dataclasses.replace(settings, optimiser="adamw"), *more)

        monkeypatch.setattr("followyouremoji.training.run.make_optimiser", without_library)
    with pytest.raises(WeightsError, match="another `optimiser`"):
        Quick(run_of(tmp_path, steps=2, optimiser=optimiser))


class AdamW8bit(torch.optim.AdamW):
    """bitsandbytes' optimiser for a test: the same names of its moments, in 32 bits."""

    NAMES = (("exp_avg", "state1"), ("exp_avg_sq", "state2"))

    def step(self, closure: Any = None) -> Any:
        self.rename(self.NAMES, back=True)
        loss = super().step(closure)
        self.rename(self.NAMES)
        return loss

    def rename(self, names: tuple[tuple[str, str], ...], back: bool = False) -> None:
        for moments in self.state.values():
            for own, other in names:
                before, after = (other, own) if back else (own, other)
                if before in moments:
                    moments[after] = moments.pop(before)


def test_moments_in_8_bits_are_saved_and_gone_on_with(tmp_path, monkeypatch) -> None:
    library = ModuleType("bitsandbytes.optim")
    library.AdamW8bit = AdamW8bit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bitsandbytes", ModuleType("bitsandbytes"))
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", library)
    run = run_of(tmp_path / "whole", steps=4, optimiser="adamw8bit")
    Quick(run).train()
    broken = dataclasses.replace(run, output=tmp_path / "broken", save_every=2)
    Quick(broken).train()
    checkpoints(broken.output)[-1].unlink()  # as if killed at step 4
    again = Quick(broken)
    assert again.state.step_number == 2
    again.train()
    whole, resumed = newest_state(run.output), newest_state(broken.output)
    for name, value in whole["module"].items():
        assert torch.equal(value, resumed["module"][name]), name
    moments = whole["optimiser"]["denoiser.conv_in.weight"]
    assert {"state1", "state2"} < moments.keys()
    for name, value in moments.items():
        assert torch.equal(value, resumed["optimiser"]["denoiser.conv_in.weight"][name]), name


def test_too_many_in_a_row_stop_the_run_and_the_last_good_checkpoint_stays(tmp_path) -> None:
    quick = Quick(run_of(tmp_path, steps=20, save_every=2, keep=1, non_finite_limit=3), broken=range(4, 20))
    with pytest.raises(Diverged, match=r"not finite in 3 steps in a row.*step-00000004\.pt"):
        quick.train()
    assert steps_of(tmp_path) == [4]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_step_and_saves(tmp_path, number, code) -> None:
    before = signal.getsignal(signal.SIGTERM)
    quick = Quick(run_of(tmp_path, steps=50))
    quick.reports = Stopper(number)  # type: ignore[assignment]
    outcome = quick.train()
    assert (outcome.reason, outcome.exit_code, outcome.step) == (number, code, 3)
    assert number.name in outcome.summary()
    assert steps_of(tmp_path) == [3]
    assert signal.getsignal(signal.SIGTERM) is before


class Stopper(list[Status]):
    """Sends this process a signal after the second step, as a scheduler or a terminal would."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def append(self, status: Status) -> None:
        if status.step == 2:
            os.kill(os.getpid(), self.number)


def test_rows_after_the_checkpoint_a_run_goes_on_from_come_once(tmp_path) -> None:
    run = run_of(tmp_path, steps=6, save_every=4)
    Quick(run).train()
    checkpoints(tmp_path)[-1].unlink()  # as if killed at step 6
    Quick(run).train()
    rows = list(csv.DictReader((tmp_path / "log.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]


def test_a_row_after_a_stop_is_of_the_steps_before_it_too(tmp_path) -> None:
    logs = []
    for name, stopped in (("whole", False), ("stopped", True)):
        run = run_of(tmp_path / name, steps=6, log_every=3, save_every=4)
        if stopped:
            Quick(dataclasses.replace(run, save_every=2)).train()
            checkpoints(run.output)[-1].unlink()  # as if killed at step 6
        Quick(run, broken=range(4, 5)).train()
        (row,) = (row for row in csv.DictReader((run.output / "log.csv").open()) if row["step"] == "6")
        logs.append({name: row[name] for name in ("total", "gradient_norm", "skipped")})
    assert logs[0] == logs[1]


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path) -> None:
    with pytest.raises(
        SettingsError, match="4 samples a step cannot be shared evenly by 1 processes in 3 parts"
    ):
        Quick(run_of(tmp_path, accumulation=3))


def test_a_run_of_an_earlier_version_is_not_gone_on_with(tmp_path) -> None:
    torch.save({"module": {}, "average": {}, "step": 3}, tmp_path / "training.pt")
    with pytest.raises(WeightsError, match=r"training\.pt was trained with an earlier version.*`initial`"):
        Quick(run_of(tmp_path))


def test_fp16_without_a_gpu_and_a_missing_library_are_told(tmp_path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="fp16 needs a GPU"):
            Quick(run_of(tmp_path, precision="fp16"))
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        with pytest.raises(SettingsError, match="pip install bitsandbytes"):
            Quick(run_of(tmp_path, optimiser="adamw8bit"))


def test_the_average_is_the_exponential_one_and_can_be_left_out(tmp_path) -> None:
    module = nn.Linear(1, 1)
    module.bias.requires_grad_(False)
    nn.init.zeros_(module.weight)
    average = Average(module, decay=0.5)
    nn.init.ones_(module.weight)
    average.update(0)  # the warm-up's decay, 1 / 10
    assert float(average.values["weight"]) == pytest.approx(0.9)
    average.update(1000)
    assert float(average.values["weight"]) == pytest.approx(0.95)
    assert set(average.values) == {"weight"}  # what is frozen has no average
    Quick(run_of(tmp_path, steps=1, ema=0.0)).train()
    assert newest_state(tmp_path)["average"] == {}
