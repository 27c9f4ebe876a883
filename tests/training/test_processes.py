"""Several processes on a CPU (gloo) are one: the same gradients, the same weights, checkpoints that any number of
processes goes on from."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from followyouremoji.training.checkpointing import checkpoints, newest_state, step_of
from tests.checkpoints.small_models import write_vae

from .processes import train_tiny
from .tiny import NETWORK_TABLE, run_of

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds
Gradients = list[dict[str, torch.Tensor]]


RUN = (
    """
kind = "denoiser"
stage = 1
output = "{folder}/run"
autoencoder = "{folder}/vae"
data = [{{drawn = {{size = 64}}}}]
references = 2
targets = 2
span = 4
tensorboard = false
log_every = 1
[optimisation]
steps = 100000
[validation]
every = 2
samples = 2
steps = 1
rows = 1
"""
    + NETWORK_TABLE
    + """
[network.qformer]
layers = 1
queries = 2
width = 8
heads = 2
"""
)


def started(commands: list[list[str]]) -> list[subprocess.Popen[bytes]]:
    """Start a process for each of Python's command lines, as a launcher does, each told its rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun, processes = [], len(commands)
    for rank, command in enumerate(commands):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
        several = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **place} if processes > 1 else {}
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        environment |= {name: str(value) for name, value in several.items()}
        begun.append(
            subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    return begun


def launched(outputs: list[Path], *settings: object) -> list[tuple[int, str]]:
    """Train in a process for each output folder; their exit codes and errors."""
    module = ["-m", "tests.training.processes"]
    begun = started([[*module, str(output), *map(str, settings)] for output in outputs])
    ended = [process.communicate(timeout=PATIENCE)[1].decode() for process in begun]
    return [(process.returncode, errors) for process, errors in zip(begun, ended, strict=True)]


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


def deviation(own: Gradients, others: Gradients) -> float:
    """The norm of the difference of all gradients, as a share of their norm."""
    differences, norm = 0.0, 0.0
    for one, other in zip(own, others, strict=True):
        assert one.keys() == other.keys()
        differences += sum(float((other[name].float() - value).square().sum()) for name, value in one.items())
        norm += sum(float(value.square().sum()) for value in one.values())
    return (differences / norm) ** 0.5


def test_two_processes_have_the_gradients_of_the_joined_batch(tmp_path, alone) -> None:
    gradients = trained(tmp_path, 2, steps=3, accumulation=2)
    assert len(gradients) == 3
    for own, others in zip(alone[0], gradients, strict=True):
        equal(own, others)
    after = newest_state(tmp_path)["module"]
    moved = max(float((after[name] - value).abs().max()) for name, value in alone[1].items())
    assert moved < 1e-4  # a step of Adam is about the learning rate, 5e-4, whatever the gradient


@pytest.mark.slow
def test_two_processes_tune_one_decoder(tmp_path) -> None:
    settings = {"tune_decoder": True, "picture_loss": 1.0, "picture_frames": 0}
    own = trained(tmp_path / "one", 1, **settings)
    others = trained(tmp_path / "two", 2, accumulation=2, **settings)
    for one, two in zip(own, others, strict=True):
        equal(one, two)
        assert any(name.startswith("decoder.") for name in one)
    before, after = (newest_state(tmp_path / folder) for folder in ("one", "two"))
    moved = {
        name: float((after["module"][name] - value).abs().max()) for name, value in before["module"].items()
    }
    assert max(moved.values()) < 1e-4  # of steps of 5e-4


@pytest.mark.slow
def test_weights_in_shares_are_the_same_and_one_process_goes_on_from_them(tmp_path, alone) -> None:
    gradients = [*trained(tmp_path, 2, steps=2, sharding="fsdp"), *trained(tmp_path, 1, steps=3)]
    assert len(gradients) == 3
    for own, others in zip(alone[0], gradients, strict=True):
        equal(own, others)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Gradients:
    """The gradients of a step of stage 2 in one process."""
    return trained(tmp_path_factory.mktemp("clips"), 1, steps=1, stage=2)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "most"), [("fp32", 1e-4), ("bf16", 0.1)])
def test_shares_parts_and_activations_computed_anew_go_together(tmp_path, clips, precision, most) -> None:
    more = {"checkpointing": True, "precision": precision}
    gradients = trained(tmp_path, 2, steps=1, sharding="fsdp", accumulation=2, stage=2, **more)
    assert deviation(clips, gradients) < most


def test_bf16_computes_roughly_the_same_and_keeps_weights_in_float32(tmp_path) -> None:
    gradients: dict[str, Gradients] = {"fp32": [], "bf16": []}
    for precision, kept in gradients.items():
        train_tiny(run_of(tmp_path / precision, steps=2, precision=precision), kept)
    assert 1e-4 < deviation(*gradients.values()) < 0.1
    state = newest_state(tmp_path / "bf16")
    for value in [*state["module"].values(), *state["average"].values()]:
        assert value.dtype == torch.float32
        assert bool(value.isfinite().all())


@pytest.mark.slow
def test_a_signal_to_one_of_two_processes_saves_and_ends_both(tmp_path) -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia-python")
    write_vae(tmp_path / "vae")
    (tmp_path / "run.toml").write_text(RUN.format(folder=tmp_path))
    first, second = started([["-m", "followyouremoji", "train", "run", str(tmp_path / "run.toml")]] * 2)
    assert first.stdout is not None
    try:
        for line in first.stdout:
            if line.startswith(b"step 3 of"):  # judged after step 2
                break
        second.send_signal(signal.SIGTERM)
        told, errors = first.communicate(timeout=PATIENCE)
        second.communicate(timeout=PATIENCE)
    finally:
        for process in (first, second):
            process.kill()
    assert (first.returncode, second.returncode) == (143, 143), errors.decode()[-2000:]
    judged_at, saved = map(step_of, checkpoints(tmp_path / "run"))
    assert judged_at == 2  # saved before it was judged
    assert f"saved at step {saved} (SIGTERM)" in told.decode()
    assert newest_state(tmp_path / "run")["step"] == saved >= 3
    judged = (tmp_path / "run" / "validation.csv").read_text().splitlines()
    assert judged[1].startswith("2,")
    assert (tmp_path / "run" / "samples" / "step-00000002.png").exists()


@pytest.mark.slow
def test_processes_that_see_different_checkpoints_do_not_go_on(tmp_path) -> None:
    trained(tmp_path / "here", 1, steps=2)
    before = checkpoints(tmp_path / "here")
    for code, errors in launched([tmp_path / "here", tmp_path / "there"], 3, "fsdp", 1, 1):
        assert code != 0
        assert "process 0 step 2, process 1 step 0" in errors
        assert "must lie on a file system that all machines share" in errors
    assert checkpoints(tmp_path / "here") == before
    assert not (tmp_path / "there").exists()
