"""Distillations as runs: they resume exactly, are judged and exported with their few steps, and refuse in words."""

import csv
import dataclasses
from pathlib import Path

import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.checkpoints import load_model
from followyouremoji.checkpoints.model import save_model
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.training.checkpointing import averaged_weights
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.export import export_model
from followyouremoji.training.trainer import train_denoiser
from tests.checkpoints.small_models import small_paper_model

RUN = """
kind = "denoiser"
stage = 2
output = "{folder}/run"
autoencoder = "{folder}/teacher"
data = [{{drawn = {{size = 64}}}}]
references = 1
targets = 3
span = 4
tensorboard = false
log_every = 1
[optimisation]
steps = 3
warmup = 1
[distillation]
teacher = "{folder}/teacher"
steps = 2
teacher_steps = 4
leap = 1
guidance = 2.5
shared_noise = 0.25
[validation]
every = 3
samples = 1
[network]
layout = "paper"
latent_channels = 8
block_channels = [16, 32]
norm_groups = 8
context_width = 16
image_source = "latents"
image_width = 10
landmark_channels = [4, 4, 4, 4]
[network.qformer]
layers = 1
queries = 4
width = 16
heads = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A teacher and the run that distils it."""
    folder = tmp_path_factory.mktemp("distilled")
    save_model(small_paper_model(), folder / "teacher")
    (folder / "run.toml").write_text(RUN.format(folder=folder))
    return folder


def test_it_resumes_exactly_and_gives_a_model_of_few_steps(folder) -> None:
    run = load_denoiser_run(folder / "run.toml")
    train_denoiser(run)
    broken = dataclasses.replace(run, output=folder / "broken")
    train_denoiser(broken, minutes=0)  # one step, then out of time
    train_denoiser(broken)
    whole, resumed = averaged_weights(run.output), averaged_weights(broken.output)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    logs = [list(csv.DictReader((one.output / "log.csv").open())) for one in (run, broken)]
    for figure in ("step", "diffusion", "facial", "gradient_norm"):
        assert [row[figure] for row in logs[0]] == [row[figure] for row in logs[1]]
    (judged,) = csv.DictReader((run.output / "validation.csv").open())
    assert 0 < float(judged["face_l1"]) < 1

    teacher = load_model(folder / "teacher", "cpu").networks.state_dict()
    moved = {name for name, value in whole.items() if not torch.equal(value, teacher[name])}
    assert moved
    assert {name.partition(".")[0] for name in moved} == {"denoiser"}

    export_model(folder / "run.toml", folder / "student", name="student", overwrite=False)
    config = load_model(folder / "student", "cpu").config
    assert (config.steps, config.guidance_scale, config.guided) == (2, 1.0, False)
    assert (config.shared_noise, config.window, config.makes_keyframes) == (0.25, 3, True)
    assert "small paper model" in config.provenance
    with pytest.raises(SettingsError, match=r"a distilled model is learnt.* scale of 1, not 3\.5"):
        export_model(folder / "run.toml", folder / "other", name="other", overwrite=False, guidance_scale=3.5)


def test_latents_of_another_autoencoder_are_refused(folder, tmp_path) -> None:
    model = small_paper_model()
    with torch.no_grad():
        next(model.codec.autoencoder.parameters()).add_(0.1)
    save_model(model, tmp_path / "other")
    run = dataclasses.replace(
        load_denoiser_run(folder / "run.toml"), autoencoder=tmp_path / "other", output=tmp_path / "run"
    )
    with pytest.raises(WeightsError, match="name the teacher's folder as `autoencoder`"):
        train_denoiser(run)
    assert not run.output.exists()
