"""What every training run shares: optimiser, moving average, guard against NaN, saving and exact resuming.

`accelerate` places the module on its device and joins processes; one process on a CPU passes it almost untouched.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import BaseFileLock
from torch import Tensor, nn

from followyouremoji.errors import SettingsError, UserError, WeightsError
from followyouremoji.files import lock
from followyouremoji.training.average import Average, full_tensor, spread_like
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
from followyouremoji.training.settings import EIGHT_BITS_IN_SHARES, Optimisation

try:
    from accelerate import Accelerator, DistributedDataParallelKwargs, FullyShardedDataParallelPlugin
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType, broadcast_object_list
except ModuleNotFoundError as error:
    raise SettingsError("training needs accelerate: pip install 'followyouremoji[train]'") from error

LOCK = ".lock"  # in a run's folder
SHARDED_LAYERS = [
    "ResnetBlock",
    "MotionModule",
]  # layers that are only ever called whole; the rest is gathered with the root
LAST_EXCHANGES: list[torch.distributed.Work] = []  # see `Run.wait_for_everyone`


class Diverged(UserError):
    """A run stopped because its losses or gradients were no numbers any more."""


def sharding_plugin(module: nn.Module) -> FullyShardedDataParallelPlugin:
    """How a module's weights are shared: layer by layer, as far as it has such layers."""
    kinds = {type(part).__name__ for part in module.modules()}
    layers = [name for name in SHARDED_LAYERS if name in kinds]
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        reshard_after_forward=True,
        auto_wrap_policy="transformer_based_wrap" if layers else "no_wrap",
        transformer_cls_names_to_wrap=layers,
        cpu_ram_efficient_loading=False,
    )


def make_accelerator(settings: Optimisation, module: nn.Module) -> Accelerator:
    """How this process computes `module`: precision, and its place among others, as the launcher's environment says."""
    if settings.precision == "fp16" and not torch.cuda.is_available():
        raise SettingsError("precision fp16 needs a GPU; use bf16 or fp32 on a CPU")
    AcceleratorState._reset_state()  # a process may train several runs of different precision after each other
    plugin = sharding_plugin(module) if settings.sharding == "fsdp" else None
    ddp = DistributedDataParallelKwargs(gradient_as_bucket_view=True)
    wanted = int(os.environ.get("WORLD_SIZE", "1"))  # what torchrun and its like tell each process
    accelerator = Accelerator(
        cpu=wanted > 1 and not torch.cuda.is_available(),
        mixed_precision="no" if settings.precision == "fp32" else settings.precision,
        fsdp_plugin=plugin,
        kwargs_handlers=[ddp],
    )
    if accelerator.num_processes != wanted:
        raise SettingsError(
            f"the launcher started {wanted} processes, but this one found {accelerator.num_processes}: alone, each would write the same "
            "checkpoints. Launch with torchrun or `accelerate launch`"
        )
    if plugin is not None and accelerator.distributed_type == DistributedType.MULTI_CPU:
        # accelerate offers shares on GPUs alone; gloo shares among CPUs just as well
        accelerator.state.distributed_type, accelerator.state.fsdp_plugin = DistributedType.FSDP, plugin
        if settings.precision != "fp32":
            plugin.set_mixed_precision(settings.precision)
    if getattr(accelerator.state, "fsdp_plugin", None) is not None and not accelerator.is_fsdp2:
        raise SettingsError("FSDP of version 1 is not supported; launch with --fsdp_version 2")
    if (
        accelerator.is_fsdp2 and settings.optimiser == "adamw8bit"
    ):  # the launcher's wish; a config's is refused as it is read
        raise SettingsError(EIGHT_BITS_IN_SHARES)
    if accelerator.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    return accelerator


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
        self.accelerator = accelerator = make_accelerator(settings, module)
        processes = accelerator.num_processes
        if samples % (processes * settings.accumulation):
            raise SettingsError(
                f"{samples} samples a step cannot be shared evenly by {processes} processes in {settings.accumulation} parts each; "
                f"use a multiple of {processes * settings.accumulation}"
            )
        self.share = Share(samples, accelerator.process_index, processes, settings.accumulation)
        if settings.sharding == "fsdp":
            module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # shards cannot be strided
        optimiser = make_optimiser(settings, module, rates)
        self.prepared, self.optimiser = accelerator.prepare(module, optimiser)
        self.trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.average = Average(module, settings.ema)
        self.step_number, self.seconds = 0, 0.0
        self.skipped = self.skipped_in_a_row = 0
        self.saved_step = -1
        self.lock: BaseFileLock | None = None
        self.journal: Journal | None = None
        self.claim_folder()
        try:
            self.go_on()
            if self.is_main:
                self.journal = Journal(folder, self.step_number, tensorboard=tensorboard)
        except BaseException:
            self.leave_folder()
            raise
        self.started = time.monotonic()

    @property
    def finished(self) -> bool:
        return self.step_number >= self.settings.steps

    @property
    def device(self) -> torch.device:
        return self.accelerator.device

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and reports."""
        return self.accelerator.is_main_process

    def elapsed(self) -> float:
        """Seconds of training, those before earlier stops included."""
        return self.seconds + time.monotonic() - self.started

    @contextmanager
    def part(self, last: bool) -> Iterator[None]:
        """Around forward and backward of one part of a batch; processes exchange gradients with the last one."""
        if last or self.accelerator.num_processes == 1:
            yield
        else:
            with self.accelerator.no_sync(self.prepared):
                yield

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a part's loss, the mean over its samples."""
        self.accelerator.backward(loss / self.settings.accumulation)

    def update(self) -> float:
        """Learn from the gradients; if they hold a NaN or an infinity, as they do where a loss did, the step is skipped
        and counted.

        Returns the gradient's norm before clipping. Raises Diverged after too many skipped steps in a row.
        """
        trained = list(self.trained.values())
        norm = float(full_tensor(self.accelerator.clip_grad_norm_(trained, self.settings.gradient_norm)))
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * self.settings.rate(self.step_number)
        finite = math.isfinite(norm)
        if (
            finite or self.accelerator.scaler is not None
        ):  # the scaler of fp16 skips by itself and learns from it
            self.optimiser.step()
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
        if self.accelerator.num_processes == 1:
            return dict(values)
        stacked = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        return dict(zip(values, self.accelerator.reduce(stacked, "mean").tolist(), strict=True))

    def agree(self, wish: int) -> int:
        """The highest wish of all processes; all get the same answer."""
        if self.accelerator.num_processes == 1:
            return wish
        return int(self.accelerator.gather(torch.tensor([wish], device=self.device)).max())

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
        optimiser = self.optimiser.optimizer
        moments = {
            name: optimiser.state[parameter]
            for name, parameter in self.trained.items()
            if parameter in optimiser.state
        }
        tensors = {
            "module": self.gathered(self.module.state_dict()),
            "average": self.gathered(self.average.values),
            "optimiser": {name: self.gathered(values) for name, values in moments.items()},
        }
        if not self.is_main:
            return {}
        scaler = self.accelerator.scaler
        counts = {"step": self.step_number, "seconds": self.elapsed(), "skipped": self.skipped}
        return {**tensors, **counts, "scaler": {} if scaler is None else scaler.state_dict()}

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
        if failure := self.told_to_all(failure):
            raise WeightsError(failure)
        self.saved_step = self.step_number

    def told_to_all(self, words: str) -> str:
        """The main process's words, in all processes."""
        if self.accelerator.num_processes > 1:
            return str(broadcast_object_list([words])[0])
        return words

    def claim_folder(self) -> None:
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
        if failure := self.told_to_all(failure):
            raise SettingsError(failure)
        if self.is_main:
            remove_parts(self.folder)

    def leave_folder(self) -> None:
        """Let other trainings into the run's folder."""
        if self.lock is not None:
            self.lock.release()

    def go_on(self) -> None:
        """Go on from the newest checkpoint where there is one. Raises WeightsError where it cannot be gone on from."""
        found = checkpoints(self.folder)
        self.require_same_beginning(step_of(found[-1]) if found else 0)
        if found:
            self.resume(found[-1])
        elif (self.folder / OLD_FILE).exists():
            raise WeightsError(
                f"{self.folder / OLD_FILE} was trained with an earlier version and cannot go on exactly: name another `output`, and this "
                "folder as `initial`."
            )

    def require_same_beginning(self, step: int) -> None:
        """Raise SettingsError, in all processes, unless all have found the same step to go on from in the run's
        folder."""
        if self.accelerator.num_processes == 1:
            return
        steps = self.accelerator.gather(torch.tensor([step], device=self.device)).tolist()
        if len(set(steps)) > 1:
            found = ", ".join(f"process {rank} step {one}" for rank, one in enumerate(steps))
            raise SettingsError(
                f"the processes do not see the same checkpoints in {self.folder}: they would go on from {found}. `output` must lie on a file "
                "system that all machines share, under the same path"
            )

    def resume(self, file: Path) -> None:
        """Go on from a checkpoint. Raises WeightsError where it belongs to other settings."""
        state = read_checkpoint(file)
        check_layout(file, state["module"], self.module)
        own = self.module.state_dict()
        self.module.load_state_dict(
            {name: spread_like(value, own[name]) for name, value in state["module"].items()}
        )
        self.average.restore(state["average"])
        optimiser = self.optimiser.optimizer
        layout = optimiser.state_dict()
        if set(state["optimiser"]) - set(self.trained):
            raise WeightsError(
                f"{file} does not belong to this run's settings: it trained other parts of the networks."
            )
        names = {parameter: name for name, parameter in self.trained.items()}
        members = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        layout["state"] = {}
        for number, parameter in enumerate(members):
            moments = state["optimiser"].get(names[parameter], {})
            if moments and first_moment(self.settings) not in moments:
                raise WeightsError(
                    f"{file} does not belong to this run's settings: it was trained with another `optimiser`. Name another `output`, and "
                    "this folder as `initial`."
                )
            if moments:
                layout["state"][number] = {
                    key: spread_like(value, parameter) if isinstance(value, Tensor) and value.ndim else value
                    for key, value in moments.items()
                }
        optimiser.load_state_dict(layout)
        if self.accelerator.scaler is not None and state["scaler"]:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step_number = self.saved_step = state["step"]
        self.seconds, self.skipped = state["seconds"], state["skipped"]

    def wait_for_everyone(self) -> None:
        """Wait until all processes have come so far: who leaves while another still saves may break the other's
        connection.

        What is exchanged last is kept until the process ends. Otherwise gloo's thread would let go of it, for which it
        needs Python's lock; and who closes the connection holds that lock and waits for the thread.
        """
        if self.accelerator.num_processes > 1:
            exchange = torch.distributed.barrier(async_op=True)
            exchange.wait()
            LAST_EXCHANGES.append(exchange)

    def close(self) -> None:
        """Finish the logs, leave the folder and the other processes."""
        if self.journal is not None:
            self.journal.close()
        self.leave_folder()
        if self.accelerator.num_processes > 1:
            self.accelerator.end_training()
