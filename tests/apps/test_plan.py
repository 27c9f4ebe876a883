"""`fye train plan` as a user meets it."""

from pathlib import Path

import pytest

from tests.apps.conftest import Run

CONFIGS = Path(__file__).parents[2] / "configs"
RUN = """
kind = "denoiser"
stage = 2
output = "run"
data = [{drawn = {size = 64}}]
autoencoder = "AUTOENCODER"
references = 2
targets = 3
[optimisation]
steps = 1000
precision = "bf16"
[distillation]
teacher = "my_model"
steps = 2
guidance = 2.0
teacher_steps = 4
leap = 1
[network]
latent_channels = CHANNELS
block_channels = [16, 16]
layers_per_block = 1
heads = 2
norm_groups = 8
context_width = 8
image_source = "latents"
image_width = WIDTH
landmark_channels = [4, 4, 4, 4]
"""


def write(autoencoder: object, channels: int) -> None:
    text = RUN.replace("AUTOENCODER", str(autoencoder)).replace("CHANNELS", str(channels))
    Path("run.toml").write_text(text.replace("WIDTH", str(channels + 2)))


def test_it_tells_parameters_memory_operations_and_time(fye: Run) -> None:
    write(CONFIGS / "bundled" / "autoencoder.toml", 32)
    ended = fye("train", "plan", "run.toml", "--rate", "0.001")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "1000 steps of 2 portraits with 3 successive frames, 64x64 pixels."
    (denoiser,) = (line.split() for line in lines if line.startswith("  denoiser"))
    assert denoiser[1] == denoiser[2]  # all of it is trained
    assert "GiB of the teacher." in ended.out
    assert "of that finds what is learnt: 2 passes of the teacher, one of the student." in ended.out
    operations, encoding = (float(word) for word in lines[-3].replace(",", "").split() if word[0].isdigit())
    seconds = float(lines[-1].split(": ")[1].split()[0])
    assert seconds == pytest.approx((operations + encoding) * 1e3, rel=0.01)


def test_what_cannot_be_counted_is_told_in_a_line(fye: Run) -> None:
    write("nowhere", 8)
    for arguments, words in (
        (("run.toml",), "`autoencoder`: there is no checkpoint 'nowhere'"),
        (("run.toml", "--size", "72"), "a multiple of 16"),
        ((str(CONFIGS / "bundled/autoencoder.toml"),), "does not describe a denoiser's run"),
    ):
        ended = fye("train", "plan", *arguments)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert words in ended.err
