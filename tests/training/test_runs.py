"""Training runs, for real but tiny: they learn, they resume exactly, and what they refuse they refuse in words."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.checkpoints import load_model
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.training.autoencoder import finished_autoencoder, train_autoencoder, write_latents
from followyouremoji.training.batch import make_batch
from followyouremoji.training.checkpointing import averaged_weights
from followyouremoji.training.config import AutoencoderRun, DenoiserRun, Validation, load_run
from followyouremoji.training.drawings import Drawings, DrawingSettings, draw_folder, draw_identity
from followyouremoji.training.export import export_model
from followyouremoji.training.origin import DRAWN
from followyouremoji.training.picks import DrawingsPicks
from followyouremoji.training.trainer import train_denoiser
from tests.checkpoints.small_models import write_vae

AUTOENCODER = """
kind = "autoencoder"
drawings = "{folder}/drawings"
output = "{folder}/autoencoder"
tensorboard = false
batch = 4
log_every = 2
[optimisation]
steps = 6
warmup = 2
[autoencoder]
latent_channels = 4
channels = [8, 16]
blocks = 1
"""

DENOISER = """
kind = "denoiser"
stage = {stage}
drawings = "{folder}/drawings"
output = "{folder}/stage{stage}"
autoencoder = "{folder}/autoencoder.toml"
{more}
references = 2
targets = 3
log_every = 1
[optimisation]
steps = 4
warmup = 1
decay = 1
[network]
layout = "paper"
latent_channels = 4
block_channels = [16, 16]
layers_per_block = 1
heads = 2
norm_groups = 8
context_width = 8
image_source = "latents"
image_width = 6
landmark_channels = [4, 4, 4, 4]
reference_landmarks = true
warped_reference = true
[network.qformer]
layers = 4
queries = 2
width = 8
heads = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Drawings, read into latents by an autoencoder of a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    draw_folder(folder / "drawings", DrawingSettings(identities=3, pictures=5, size=64, seed=7, clips=True))
    (folder / "autoencoder.toml").write_text(AUTOENCODER.format(folder=folder))
    (folder / "stage1.toml").write_text(DENOISER.format(folder=folder, stage=1, more=""))
    initial = f'initial = "{folder}/stage1"'
    (folder / "stage2.toml").write_text(DENOISER.format(folder=folder, stage=2, more=initial))
    run = load_run(folder / "autoencoder.toml")
    assert isinstance(run, AutoencoderRun)
    train_autoencoder(run)
    write_latents(folder / "drawings", finished_autoencoder(run))
    return folder


def denoiser_run(folder: Path, stage: int, output: str, **changes: object) -> DenoiserRun:
    run = load_run(folder / f"stage{stage}.toml")
    assert isinstance(run, DenoiserRun)
    return dataclasses.replace(run, output=folder / output, **changes)  # type: ignore[arg-type]


def test_latents_stay_the_same_when_the_drawings_are_gone(folder) -> None:
    run = load_run(folder / "autoencoder.toml")
    assert isinstance(run, AutoencoderRun)
    measured = finished_autoencoder(run).config
    assert finished_autoencoder(dataclasses.replace(run, drawings=folder / "gone")).config == measured
    assert measured.shift != 0
    (run.output / "latents.json").write_text("{")
    assert finished_autoencoder(run).config == measured


def test_drawings_are_a_function_of_seed_and_identity(folder) -> None:
    settings = DrawingSettings(identities=3, pictures=5, size=64, seed=7, clips=True)
    drawings = Drawings.open(folder / "drawings")
    pictures, points = draw_identity(settings, 2)
    np.testing.assert_array_equal(drawings.pictures[2], pictures)
    np.testing.assert_array_equal(drawings.points[2], points)
    assert not np.array_equal(drawings.pictures[0], drawings.pictures[1])
    draw_folder(folder / "drawings", settings)  # the same again costs nothing
    with pytest.raises(SettingsError, match="other drawings"):
        draw_folder(folder / "drawings", dataclasses.replace(settings, seed=8))


def test_a_stopped_run_goes_on_as_if_unbroken(folder) -> None:
    train_denoiser(denoiser_run(folder, 1, "stage1"))
    broken = denoiser_run(folder, 1, "broken")
    half = dataclasses.replace(broken, save_every=2)
    train_denoiser(half, minutes=0)  # one step, then out of time
    train_denoiser(half)
    whole, resumed = averaged_weights(folder / "stage1"), averaged_weights(folder / "broken")
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    logs = [list(csv.DictReader((folder / name / "log.csv").open())) for name in ("stage1", "broken")]
    for figure in ("step", "diffusion", "facial", "gradient_norm", "learning_rate"):
        assert [row[figure] for row in logs[0]] == [row[figure] for row in logs[1]]
    assert len(logs[1]) == 4  # one row a step, none twice
    assert list((folder / "broken" / "tensorboard").iterdir())


def test_batches_from_worker_processes_are_the_same(folder) -> None:
    if not (folder / "stage1" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 1, "stage1"))
    train_denoiser(denoiser_run(folder, 1, "workers", workers=1))
    whole, other = averaged_weights(folder / "stage1"), averaged_weights(folder / "workers")
    for name, value in whole.items():
        assert torch.equal(value, other[name]), name


def test_stage_2_moves_the_temporal_layers_alone_and_exports(folder) -> None:
    if not (folder / "stage1" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 1, "stage1"))
    train_denoiser(denoiser_run(folder, 2, "stage2"))
    before, after = averaged_weights(folder / "stage1"), averaged_weights(folder / "stage2")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"denoiser.conv_in.weight", "denoiser.conv_in.bias"}
    assert any("motion_modules" in name for name in set(after) - set(before))

    file = folder / "stage2.toml"
    export_model(file, folder / "model", name="tiny", steps=3, shared_noise=0.5, overwrite=False)
    model = load_model(folder / "model", "cpu")
    assert (model.config.picture_size, model.config.window, model.config.steps) == (64, 3, 3)
    assert model.config.landmark_style == LandmarkStyle(antialiased=True)
    assert model.config.provenance == DRAWN
    assert model.config.makes_keyframes
    with pytest.raises(WeightsError, match="exists"):
        export_model(file, folder / "model", name="tiny", steps=3, shared_noise=0.5, overwrite=False)


def test_a_tuned_decoder_is_resumed_handed_on_and_exported(folder) -> None:
    plain = denoiser_run(folder, 1, "tuned", tune_decoder=True, picture_loss=1.0, picture_frames=4)
    run = dataclasses.replace(plain, optimisation=dataclasses.replace(plain.optimisation, optimiser="muon"))
    train_denoiser(run)
    broken = dataclasses.replace(run, output=folder / "tuned in parts")
    train_denoiser(broken, minutes=0)
    train_denoiser(broken)
    tuned, resumed = averaged_weights(run.output), averaged_weights(broken.output)
    assert all(torch.equal(value, resumed[name]) for name, value in tuned.items())

    autoencoder = finished_autoencoder(load_run(folder / "autoencoder.toml"))  # type: ignore[arg-type]
    decoder = {name: value for name, value in tuned.items() if name.startswith("decoder.")}
    before = autoencoder.state_dict()
    assert decoder.keys() == {name for name in before if name.startswith("decoder.")}
    assert all(not torch.equal(value, before[name]) for name, value in decoder.items())

    text = (folder / "stage2.toml").read_text()
    text = (
        text.replace('/stage1"', '/tuned"').replace('/stage2"', '/tuned 2"').replace("steps = 4", "steps = 1")
    )
    (folder / "tuned2.toml").write_text(text)
    after = load_run(folder / "tuned2.toml")
    assert isinstance(after, DenoiserRun)
    train_denoiser(dataclasses.replace(after, validation=Validation(every=1, samples=1, steps=1)))
    handed_on = averaged_weights(after.output)
    assert all(torch.equal(value, handed_on[name]) for name, value in decoder.items())
    assert "decoder: " in (after.output / "start.txt").read_text()

    export_model(
        folder / "tuned2.toml", folder / "tuned model", name="t", steps=1, shared_noise=1, overwrite=False
    )
    exported = load_model(folder / "tuned model", "cpu").autoencoder.state_dict()
    for name, value in {**before, **decoder}.items():
        assert torch.equal(exported[name].half(), value.half()), name
    assert any("encoder." in name for name in exported)


def test_a_decoder_of_others_is_not_tuned(folder, tmp_path) -> None:
    write_vae(tmp_path / "vae")
    run = denoiser_run(folder, 1, "unused", tune_decoder=True, picture_loss=1.0, autoencoder=tmp_path / "vae")
    with pytest.raises(SettingsError, match="needs a small autoencoder of your own"):
        train_denoiser(run)


def test_a_run_that_never_knew_a_frame_is_exported_without_keyframes(folder) -> None:
    if not (folder / "stage1" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 1, "stage1"))
    if not (folder / "stage2" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 2, "stage2"))
    file = folder / "without_progressive.toml"
    file.write_text(
        (folder / "stage2.toml").read_text().replace("stage = 2", "stage = 2\nprogressive = false")
    )
    for source in (file, folder / "stage1.toml"):
        export_model(source, folder / "apart", name="apart", steps=3, shared_noise=0.5, overwrite=True)
        config = load_model(folder / "apart", "cpu").config
        assert not config.known_frames
        assert not config.makes_keyframes
    values = config.to_dict()
    del values["known_frames"]  # as versions before this entry wrote it
    assert ModelConfig.from_dict(values).makes_keyframes


def test_batches_are_a_function_of_the_step(folder) -> None:
    run = denoiser_run(folder, 2, "unused")
    source = DrawingsPicks(folder / "drawings", seed=0)
    one, again, other = (make_batch(run, source, step) for step in (5, 5, 6))
    assert torch.equal(one.latents, again.latents)
    assert torch.equal(one.landmarks, again.landmarks)
    assert not torch.equal(one.latents, other.latents)
    assert one.latents.shape == (2, 4, 3, 8, 8)
    assert one.landmarks.shape == (2, 3, 3, 64, 64)
    assert one.expression_mask.shape == one.face_mask.shape == (2, 1, 3, 8, 8)
    assert 0 < float(one.expression_mask.mean()) < 1


def test_more_references_than_people_are_refused(folder) -> None:
    with pytest.raises(SettingsError, match="too few for 9 references"):
        train_denoiser(denoiser_run(folder, 1, "unused", references=9))


def test_a_checkpoint_of_other_settings_is_refused(folder) -> None:
    if not (folder / "stage1" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 1, "stage1"))
    wide = denoiser_run(folder, 1, "stage1")
    wide = dataclasses.replace(wide, network=dataclasses.replace(wide.network, context_width=16))
    with pytest.raises(WeightsError, match=r"does not belong to this run.*another shape of"):
        train_denoiser(wide)
    with pytest.raises(WeightsError, match="no training run"):
        averaged_weights(folder / "nowhere")
