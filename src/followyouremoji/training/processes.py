"""The processes that train together, as `torchrun` starts them: their ranks, and what they exchange."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from followyouremoji.checkpoints.model import choose_device
from followyouremoji.errors import SettingsError

Value = TypeVar("Value")


@dataclass
class Processes:
    """This process's `rank` among `count` and the `device` that it computes on. One process alone communicates with
    nobody."""

    rank: int
    count: int
    device: torch.device
    farewell: dist.Work | None = field(default=None, repr=False)

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.count > 1:
            values = values.to(self.device, copy=True)
            dist.all_reduce(values)
        return values / self.count

    def highest(self, value: int) -> int:
        """The highest of all processes' values; all get the same answer."""
        if self.count == 1:
            return value
        found = torch.tensor(value, device=self.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def gathered(self, value: Value) -> list[Value]:
        """The values of all processes, in the order of their ranks."""
        if self.count == 1:
            return [value]
        values: list[Value] = [value] * self.count
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, words: str) -> str:
        """The words of rank 0, in all processes."""
        if self.count == 1:
            return words
        received = [words]
        dist.broadcast_object_list(received, src=0, device=self.device)
        return received[0]

    def wait_for_everyone(self) -> None:
        """Wait until all processes have come so far: who leaves while another still saves may break the other's
        connection."""
        if self.count > 1:
            # Kept until `leave`: gloo's thread would need Python's lock to let go of it, and who closes the connection
            # holds that lock and waits for the thread.
            self.farewell = dist.barrier(async_op=True)
            if self.farewell is not None:
                self.farewell.wait()

    def leave(self) -> None:
        """Close the connection to the others."""
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()


def join_processes() -> Processes:
    """Join the others that the launcher's environment names; without one, this process is alone.

    Raises SettingsError where that environment is incomplete: alone, each process would write the same checkpoints.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return Processes(0, 1, choose_device(None))
    on_gpus = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpus else torch.device("cpu")
    if on_gpus:
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if on_gpus else "gloo")
    except ValueError as error:
        raise SettingsError(
            f"the launcher started {count} processes and did not tell them of each other ({error}): launch with torchrun"
        ) from error
    return Processes(dist.get_rank(), count, device)
