"""`fye train run` as a user and a scheduler meet it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused
from tests.training.tiny import NETWORK_TABLE

AUTOENCODER = """
kind = "autoencoder"
data = [{drawn = {size = 64}}]
output = "ae"
batch = 2
log_every = 1
tensorboard = false
[optimisation]
steps = STEPS
[autoencoder]
latent_channels = 4
channels = [8, 8]
blocks = 1
"""

DENOISER = (
    """
kind = "denoiser"
stage = 1
data = [{drawn = {size = 64}}]
output = "stage1"
autoencoder = "MODEL"
references = 1
targets = 1
tensorboard = false
[optimisation]
steps = 1
"""
    + NETWORK_TABLE
    + "\n[network.qformer]\nlayers = 4\nqueries = 2\nwidth = 8\nheads = 2\n"
)


def test_sigterm_saves_and_leaves_with_143_and_the_same_command_goes_on(tmp_path, fye: Run) -> None:
    (tmp_path / "run.toml").write_text(AUTOENCODER.replace("STEPS", "100000"))
    started = subprocess.Popen(
        [sys.executable, "-m", "followyouremoji", "train", "run", "run.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("step 2 of 100000"):
            break
    started.send_signal(signal.SIGTERM)
    rest = started.stdout.read()
    assert started.wait() == 143
    assert "ae: saved at step" in rest
    assert "SIGTERM" in rest
    (saved,) = (tmp_path / "ae" / "checkpoints").iterdir()

    step = int(saved.stem.split("-")[1])
    os.chdir(tmp_path)
    Path("run.toml").write_text(AUTOENCODER.replace("STEPS", str(step + 1)))
    ended = fye("train", "run", "run.toml")
    assert ended.code == 0
    assert f"step {step + 1} of {step + 1}: loss" in ended.out
    assert f"finished after {step + 1} steps" in ended.out


def test_a_run_that_cannot_be_read_is_told_in_a_line(fye: Run) -> None:
    Path("run.toml").write_text(AUTOENCODER.replace("STEPS", '"many"'))
    ended = fye("train", "run", "run.toml")
    assert (ended.code, ended.err) == (
        2,
        "Error: run.toml: `optimisation.steps` must be a whole number above 0, not 'many'\n",
    )


def test_a_run_says_what_it_began_with_and_is_exported_once_unless_asked(fye: Run, model: Path) -> None:
    Path("stage1.toml").write_text(DENOISER.replace("MODEL", model.as_posix()))
    ended = fye("train", "run", "stage1.toml")
    assert ended.code == 0, ended.err
    assert Path("stage1/start.txt").read_text() == (
        "All networks began with random weights: the config has no `initial`.\n"
    )
    assert fye("train", "export", "stage1.toml", "model").code == 0
    assert_refused(fye("train", "export", "stage1.toml", "model"), "model exists already", "(--overwrite)")


@pytest.mark.parametrize(
    ("command", "place", "words"),
    [
        (
            ("run", "run.toml"),
            "followyouremoji.training.autoencoder.train_autoencoder",
            ("`accumulation`", "checkpointing", "adamw8bit", "targets"),
        ),
        (("lora", "me.png", "me.safetensors"), "followyouremoji.checkpoints.load_model", ("--rank",)),
    ],
)
def test_a_gpu_with_too_little_memory_is_told_what_to_change(
    fye: Run, monkeypatch, command: tuple[str, ...], place: str, words: tuple[str, ...]
) -> None:
    import torch

    def allocate(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    Path("run.toml").write_text(AUTOENCODER.replace("STEPS", "1"))
    monkeypatch.setattr(place, allocate)
    ended = fye("train", *command)
    assert ended.code == 2
    assert ended.err.startswith("Error: the GPU has too little free memory")
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err


def test_help_names_the_exit_codes_and_the_launcher(fye: Run) -> None:
    ended = fye("train", "run", "--help")
    assert ended.code == 0
    for words in ("torchrun", "143", "130"):
        assert words in ended.out
