"""Several processes on a CPU (gloo) are one: the same gradients, the same weights, checkpoints that any number of processes goes on from."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from followyouremoji.training.checkpointing import newest_state

ROOT = Path(__file__).parents[2]
Gradients = list[dict[str, torch.Tensor]]


def trained(
    output: Path, processes: int, steps: int = 2, sharding: str = "ddp", accumulation: int = 1, stage: int = 1
) -> Gradients:
    """Start processes as a launcher does, each told its rank; return the gradients of their steps."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [str(output), str(steps), sharding, str(accumulation), str(stage)]
    started = []
    for rank in range(processes):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        several = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **place} if processes > 1 else {}
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        environment |= {name: str(value) for name, value in several.items()}
        command = [sys.executable, "-m", "tests.training.processes", *arguments]
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()[-2000:]
    return torch.load(output / "gradients.pt", weights_only=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[Gradients, dict[str, torch.Tensor]]:
    """Three steps of one process with the joined batch, and the weights after them."""
    output = tmp_path_factory.mktemp("alone")
    return trained(output, 1, steps=3), newest_state(output)["module"]


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_two_processes_have_the_gradients_of_the_joined_batch(tmp_path, alone) -> None:
    gradients = trained(tmp_path, 2, steps=3, accumulation=2)
    assert len(gradients) == 3
    for own, others in zip(alone[0], gradients, strict=True):
        equal(own, others)
    after = newest_state(tmp_path)["module"]
    moved = max(float((after[name] - value).abs().max()) for name, value in alone[1].items())
    assert moved < 1e-4  # a step of Adam is about the learning rate, 5e-4, whatever the gradient


def test_weights_in_shares_are_the_same_and_one_process_goes_on_from_them(tmp_path, alone) -> None:
    gradients = [*trained(tmp_path, 2, steps=2, sharding="fsdp"), *trained(tmp_path, 1, steps=3)]
    assert len(gradients) == 3
    for own, others in zip(alone[0], gradients, strict=True):
        equal(own, others)
