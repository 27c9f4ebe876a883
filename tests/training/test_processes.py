"""Several processes on a CPU (gloo) are one: the same gradients, the same weights, checkpoints that any number of processes goes on from."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from followyouremoji.training.checkpointing import checkpoints, newest_state

ROOT = Path(__file__).parents[2]
Gradients = list[dict[str, torch.Tensor]]


def launched(outputs: list[Path], *settings: object) -> list[tuple[int, str]]:
    """Start a process for each output folder, as a launcher does, each told its rank; their exit codes and errors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started, processes = [], len(outputs)
    for rank, output in enumerate(outputs):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        several = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **place} if processes > 1 else {}
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        environment |= {name: str(value) for name, value in several.items()}
        command = [sys.executable, "-m", "tests.training.processes", str(output), *map(str, settings)]
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        )
    ended = [process.communicate(timeout=300)[1].decode() for process in started]
    return [(process.returncode, errors) for process, errors in zip(started, ended, strict=True)]


def trained(
    output: Path,
    processes: int,
    steps: int = 2,
    sharding: str = "ddp",
    accumulation: int = 1,
    stage: int = 1,
    **more: object,
) -> Gradients:
    """Train on several processes; return the gradients of their steps."""
    settings = (steps, sharding, accumulation, stage, json.dumps(more))
    for code, errors in launched([output] * processes, *settings):
        assert code == 0, errors[-2000:]
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


def test_two_processes_share_muon_s_work_and_tune_one_decoder(tmp_path) -> None:
    settings = {"optimiser": "muon", "tune_decoder": True, "picture_loss": 1.0, "picture_frames": 0}
    own = trained(tmp_path / "one", 1, **settings)
    others = trained(tmp_path / "two", 2, accumulation=2, **settings)
    for one, two in zip(own, others, strict=True):
        equal(one, two)
        assert any(name.startswith("decoder.") for name in one)
    before, after = (newest_state(tmp_path / folder) for folder in ("one", "two"))
    assert sum("momentum" in moments for moments in before["optimiser"].values()) > 20
    moved = {
        name: float((after["module"][name] - value).abs().max()) for name, value in before["module"].items()
    }
    assert (
        max(moved.values()) < 1e-4
    )  # of steps of 5e-4 and, by Muon, up to 5e-4 x 0.2 x the longer side's root


def test_weights_in_shares_are_the_same_and_one_process_goes_on_from_them(tmp_path, alone) -> None:
    gradients = [*trained(tmp_path, 2, steps=2, sharding="fsdp"), *trained(tmp_path, 1, steps=3)]
    assert len(gradients) == 3
    for own, others in zip(alone[0], gradients, strict=True):
        equal(own, others)


def test_processes_that_see_different_checkpoints_do_not_go_on(tmp_path) -> None:
    trained(tmp_path / "here", 1, steps=2)
    before = checkpoints(tmp_path / "here")
    for code, errors in launched([tmp_path / "here", tmp_path / "there"], 3, "fsdp", 1, 1):
        assert code != 0
        assert "process 0 step 2, process 1 step 0" in errors
        assert "must lie on a file system that all machines share" in errors
    assert checkpoints(tmp_path / "here") == before
    assert not (tmp_path / "there").exists()
