"""What every training run shares: optimiser, moving average, guard against NaN, saving and exact resuming.

Plain PyTorch: autocast for half precision, DistributedDataParallel or fully_shard over several processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import BaseFileLock
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from followyouremoji.errors import SettingsError, UserError, WeightsError
from followyouremoji.files import lock
from followyouremoji.networks.layers import ResnetBlock
from followyouremoji.networks.motion_module import MotionModule
from followyouremoji.training.average import Average, full_tensor, shard_like
from followyouremoji.training.checkpointing import (
    OLD_FILE,
    State,
    check_layout,
    checkpoints,
    read_checkpoint,
    remove_parts,
    step_of,
    survivors,
    write_checkpoint,
)
from followyouremoji.training.feed import Share
from followyouremoji.training.journal import LOG, Journal
from followyouremoji.training.optimiser import first_moment, make_optimiser
from followyouremoji.training.processes import Processes, join_processes
from followyouremoji.training.recent import Recent
from followyouremoji.training.settings import Optimisation

LOCK = ".lock"  # in a run's folder
SHARDED_LAYERS = (ResnetBlock, MotionModule)  # only ever called whole; the rest is gathered with the root
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}  # what autocast computes in; fp32: no autocast


class Diverged(UserError):
    """A run stopped because its losses or gradients were not finite."""


def distributed(module: nn.Module, settings: Optimisation, processes: Processes) -> nn.Module:
    """A module as several processes compute it, each on its part of a batch: with all weights, or with an equal share
    of each layer's (`sharding`). One process computes it as it is."""
    if processes.count == 1:
        return module
    if settings.sharding == "ddp":
        devices = [processes.device] if processes.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True)
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # shards cannot be strided
    mesh = init_device_mesh(processes.device.type, (processes.count,))
    policy = MixedPrecisionPolicy(HALF.get(settings.precision), reduce_dtype=torch.float32)
    for layer in module.modules():
        if isinstance(layer, SHARDED_LAYERS):
            fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(module, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    return module


class Run:
    """One module in training; the constructor makes a stopped run go on as if unbroken.

    A step: for each part of the batch, `with part(last): backward(loss)`; then `update()`. Everything random in a run
    is drawn from generators seeded by (seed, step, sample), so the step number is all that has to be remembered.

    `samples` of the joined batch are shared evenly by processes and parts. `rates` are shares of the learning rate, by
    the name of a part of the module that learns more slowly. Raises SettingsError where the samples cannot be shared or
    another training is at work in the folder, WeightsError where the folder holds a run of other networks. The folder
    is this run's until `close()`.
    """

    def __init__(
        self,
        module: nn.Module,
        folder: Path,
        settings: Optimisation,
        *,
        samples: int,
        rates: Mapping[str, float] | None = None,
        keep: int = 3,
        tensorboard: bool = True,
    ) -> None:
        self.module, self.folder, self.settings, self.keep = module, folder, settings, keep
        if settings.precision == "fp16" and not torch.cuda.is_available():
            raise SettingsError("precision fp16 needs a GPU; use bf16 or fp32 on a CPU")
        self.processes = processes = join_processes()
        if samples % (processes.count * settings.accumulation):
            raise SettingsError(
                f"{samples} samples a step cannot be shared evenly by {processes.count} processes in {settings.accumulation} parts each; "
                f"use a multiple of {processes.count * settings.accumulation}"
            )
        self.share = Share(samples, processes.rank, processes.count, settings.accumulation)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        self.shared = distributed(module.to(self.device), settings, processes)
        self.optimiser = make_optimiser(settings, module, rates)
        self.scaler = torch.amp.GradScaler(enabled=settings.precision == "fp16")
        self.trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.average, self.recent = Average(module, settings.ema), Recent()
        self.step_number, self.seconds = 0, 0.0
        self.skipped = self.skipped_in_a_row = 0
        self.saved_step = -1
        self.lock: BaseFileLock | None = None
        self.journal: Journal | None = None
        self.lock_folder()
        try:
            self.resume()
            if self.is_main:
                self.journal = Journal(folder, self.step_number, tensorboard=tensorboard)
        except BaseException:
            self.unlock_folder()
            raise
        self.started = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.step_number >= self.settings.steps

    @property
    def device(self) -> torch.device:
        return self.processes.device

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.processes.rank == 0

    def elapsed(self) -> float:
        """Seconds of training, those before earlier stops included."""
        return self.seconds + time.monotonic() - self.started

    @contextmanager
    def part(self, last: bool) -> Iterator[None]:
        """Around forward and backward of one part of a batch; processes exchange gradients with the last one."""
        if isinstance(self.shared, FSDPModule):
            self.shared.set_requires_gradient_sync(last)
        if isinstance(self.shared, DistributedDataParallel) and not last:
            with self.shared.no_sync():
                yield
        else:
            yield

    def autocast(self) -> torch.autocast:
        """The run's precision, for what is computed inside."""
        half = HALF.get(self.settings.precision)
        return torch.autocast(self.device.type, half, enabled=half is not None)

    def predict(self, *inputs: Any) -> Any:
        """What the module makes of its inputs, computed in the run's precision and given in float32."""
        with self.autocast():
            made = self.shared(*inputs)
        return tuple(value.float() for value in made) if isinstance(made, tuple) else made.float()

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a part's loss, the mean over its samples."""
        self.scaler.scale(loss / self.settings.accumulation).backward()

    def update(self) -> float:
        """Learn from the gradients; if they hold a NaN or an infinity, as they do where a loss did, the step is skipped
        and counted.

        Returns the gradient's norm before clipping. Raises Diverged after too many skipped steps in a row.
        """
        self.scaler.unscale_(self.optimiser)
        norm = float(full_tensor(clip_grad_norm_(list(self.trained.values()), self.settings.gradient_norm)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * self.settings.rate(self.step_number)
        finite = math.isfinite(norm)
        if finite or self.scaler.is_enabled():  # the scaler of fp16 skips by itself and learns from it
            self.scaler.step(self.optimiser)
            self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        if finite:
            self.average.update(self.step_number)
        self.step_number += 1
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        self.skipped += not finite
        if self.skipped_in_a_row >= self.settings.non_finite_limit:
            raise Diverged(
                f"{self.folder}: the loss or its gradient was not finite in {self.skipped_in_a_row} steps in a row, up to step "
                f"{self.step_number}; {survivors(self.folder)} Use a lower learning_rate, or precision fp32 or bf16 instead of fp16."
            )
        return norm

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The means of figures over all processes."""
        means = self.processes.mean(torch.tensor(list(values.values()), dtype=torch.float64))
        return dict(zip(values, means.tolist(), strict=True))

    def log(self, values: Mapping[str, float]) -> None:
        """Append a row to `log.csv`: seconds of training, the last step's learning rate, `values` and steps skipped so
        far."""
        if self.journal is not None:
            row = {
                "seconds": self.elapsed(),
                "learning_rate": self.settings.rate(self.step_number - 1),
                **values,
                "skipped": float(self.skipped),
            }
            self.journal.write(LOG, self.step_number, row)

    def state(self) -> State:
        """All that the run has to remember, whole and on the CPU in the main process, empty in the others."""
        moments = {
            name: self.optimiser.state[parameter]
            for name, parameter in self.trained.items()
            if parameter in self.optimiser.state
        }
        tensors = {
            "module": self.gathered(self.module.state_dict()),
            "average": self.gathered(self.average.values),
            "optimiser": {name: self.gathered(values) for name, values in moments.items()},
            "recent": self.recent.state(self.processes),
        }
        if not self.is_main:
            return {}
        counts = {"step": self.step_number, "seconds": self.elapsed(), "skipped": self.skipped}
        return {**tensors, **counts, "scaler": self.scaler.state_dict()}

    def gathered(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values on the CPU of the main process, tensors whole."""
        result = {}
        for name, value in values.items():
            value = full_tensor(value) if isinstance(value, Tensor) else value
            if self.is_main:
                result[name] = value.cpu() if isinstance(value, Tensor) else value
        return result

    def save(self, *, leaving: bool = False) -> None:
        """Save the state unless it is saved already, or was reached by skipped steps, which must not push good
        checkpoints out.

        A run that is `leaving` saves after skipped steps too: they changed no weights, and it shall not have to do them
        again.

        Raises WeightsError, in all processes, where it cannot be written.
        """
        if self.saved_step == self.step_number or (self.skipped_in_a_row and not leaving):
            return
        state, failure = self.state(), ""
        if self.is_main:
            try:
                write_checkpoint(self.folder, state, self.keep)
            except WeightsError as error:
                failure = str(error)
        if failure := self.processes.broadcast(failure):
            raise WeightsError(failure)
        self.saved_step = self.step_number

    def lock_folder(self) -> None:
        """Make the run's folder and keep other trainings out of it; remove what a killed one left half-written.

        Raises SettingsError, in all processes, where another training is at work in it or it cannot be written to.
        """
        failure = ""
        if self.is_main:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.lock = lock(self.folder / LOCK)
            except OSError as error:
                failure = f"the folder {self.folder} cannot be written to ({error.strerror or error}); name another `output`"
            else:
                if self.lock is None:
                    failure = f"another training is at work in {self.folder}: wait for its end or end it, or name another `output`"
        if failure := self.processes.broadcast(failure):
            raise SettingsError(failure)
        if self.is_main:
            remove_parts(self.folder)

    def unlock_folder(self) -> None:
        """Let other trainings into the run's folder."""
        if self.lock is not None:
            self.lock.release()

    def resume(self) -> None:
        """Go on from the newest checkpoint where there is one. Raises WeightsError where it cannot be gone on from."""
        found = checkpoints(self.folder)
        self.check_same_step(step_of(found[-1]) if found else 0)
        if found:
            self.load(found[-1])
        elif (self.folder / OLD_FILE).exists():
            raise WeightsError(
                f"{self.folder / OLD_FILE} was trained with an earlier version and cannot go on exactly: name another `output`, and this "
                "folder as `initial`."
            )

    def check_same_step(self, step: int) -> None:
        """Raise SettingsError, in all processes, unless all have found the same step to go on from in the run's
        folder."""
        steps = self.processes.gathered(step)
        if len(set(steps)) > 1:
            found = ", ".join(f"process {rank} step {one}" for rank, one in enumerate(steps))
            raise SettingsError(
                f"the processes do not see the same checkpoints in {self.folder}: they would go on from {found}. `output` must lie on a file "
                "system that all machines share, under the same path"
            )

    def load(self, file: Path) -> None:
        """Go on from a checkpoint. Raises WeightsError where it belongs to other settings."""
        state = read_checkpoint(file)
        check_layout(file, state["module"], self.module)
        own = self.module.state_dict()
        self.module.load_state_dict(
            {name: shard_like(value, own[name]) for name, value in state["module"].items()}
        )
        self.average.restore(state["average"])
        if set(state["optimiser"]) - set(self.trained):
            raise WeightsError(
                f"{file} does not belong to this run's settings: it trained other parts of the networks."
            )
        for name, moments in state["optimiser"].items():
            if moments and first_moment(self.settings) not in moments:
                raise WeightsError(
                    f"{file} does not belong to this run's settings: it was trained with another `optimiser`. Name another `output`, and "
                    "this folder as `initial`."
                )
            parameter = self.trained[name]
            self.optimiser.state[parameter] = {
                key: shard_like(value, parameter).clone()
                if isinstance(value, Tensor) and value.ndim
                else value
                for key, value in moments.items()
            }
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.step_number = self.saved_step = state["step"]
        self.seconds, self.skipped = state["seconds"], state["skipped"]
        if "recent" in state:  # earlier versions kept nothing of it
            self.recent.restore(state["recent"], self.device)

    def close(self) -> None:
        """Finish the logs, leave the folder and the other processes."""
        if self.journal is not None:
            self.journal.close()
        self.unlock_folder()
        self.processes.leave()
