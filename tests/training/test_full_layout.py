"""The full-size model's kind of run in small: the released layout, Stable Diffusion's autoencoder, CLIP's image prompt,
clips as data."""

import csv
from pathlib import Path

import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.checkpoints import load_model
from followyouremoji.errors import SettingsError
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.media.pictures import read_picture
from followyouremoji.training.checkpointing import averaged_weights
from followyouremoji.training.config import load_denoiser_run
from followyouremoji.training.export import export_model
from followyouremoji.training.trainer import train_denoiser
from tests.checkpoints.small_models import write_vae

RUN = """
kind = "denoiser"
stage = {stage}
output = "{folder}/stage{stage}"
autoencoder = "{folder}/vae"
image_encoder = "{folder}/clip"
data = [{{drawn = {{size = 64}}, weight = 1.0}}, {{drawn = {{size = 64, seed = 5, acting = "singles"}}, weight = 1.0}}]
{initial}
references = 2
targets = {targets}
span = 4
reference_dropout = 0.5
tensorboard = false
log_every = 1
[optimisation]
steps = 2
[landmarks]
points = "image"
contour = true
pupils = false
antialiased = false
[validation]
every = 2
samples = 2
steps = 2
drawings = ""
[network]
block_channels = [16, 32]
norm_groups = 8
heads = 2
layers_per_block = 1
context_width = 16
image_width = 32
landmark_channels = [4, 4, 4, 4]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    folder = tmp_path_factory.mktemp("full")
    write_vae(folder / "vae")
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    CLIPVisionModel(CLIPVisionConfig(**sizes, image_size=224, patch_size=56)).save_pretrained(folder / "clip")
    for stage, targets in ((1, 2), (2, 3)):
        initial = f'initial = "{folder}/stage1"' if stage == 2 else ""
        text = RUN.format(folder=folder, stage=stage, targets=targets, initial=initial)
        (folder / f"stage{stage}.toml").write_text(text.replace('drawings = ""\n', ""))
    return folder


def test_both_stages_train_validate_and_export_with_their_landmark_options(folder) -> None:
    for stage in (1, 2):
        train_denoiser(load_denoiser_run(folder / f"stage{stage}.toml"))
    before, after = averaged_weights(folder / "stage1"), averaged_weights(folder / "stage2")
    assert all(
        torch.equal(before[name], after[name]) for name in before
    )  # the temporal layers alone are trained
    (row,) = csv.DictReader((folder / "stage2" / "validation.csv").open())
    assert set(row) == {"step", "diffusion", "facial", "l1", "face_l1", "psnr", "ssim"}
    assert 0 < float(row["l1"]) < 1
    grid = read_picture(folder / "stage2" / "samples" / "step-00000002.png")
    assert grid.shape == (2 * 64 + 4, 7 * 64 + 6 * 4, 3)

    export_model(
        folder / "stage2.toml",
        folder / "model",
        name="small",
        steps=2,
        shared_noise=0.0,
        overwrite=False,
        guidance_scale=3.5,
    )
    config = load_model(folder / "model", "cpu").config
    assert config.landmark_style == LandmarkStyle(contour=True, pupils=False)
    assert (config.guided, config.guidance_scale) == (True, 3.5)
    assert (config.landmark_points, config.autoencoder, config.picture_size, config.window) == (
        "image",
        None,
        64,
        3,
    )


def test_encoders_of_other_widths_are_refused(folder, tmp_path) -> None:
    text = (folder / "stage1.toml").read_text()
    for change, message in (
        (
            ("image_width = 32", "image_width = 48"),
            "makes tokens of width 32, `image_width` of the network is 48",
        ),
        (("[network]", "[network]\nlatent_channels = 8"), "makes latents of 4 channels"),
        (("size = 64}", "size = 64, colour = 3}"), r"unknown entry `data\[0\].drawn.colour`"),
    ):
        (tmp_path / "run.toml").write_text(text.replace(*change))
        with pytest.raises(SettingsError, match=message):
            train_denoiser(load_denoiser_run(tmp_path / "run.toml"))
