"""Training runs, for real but tiny: they learn, they resume exactly, and what they refuse they refuse in words."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.checkpoints import load_model
from followyouremoji.checkpoints.config import ModelConfig
from followyouremoji.config import parse
from followyouremoji.data.drawn import DrawnPart
from followyouremoji.errors import DataError, SettingsError, WeightsError
from followyouremoji.executors import Local
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.training.autoencoder import (
    finished_autoencoder,
    train_autoencoder,
    write_latents,
)
from followyouremoji.training.batch import make_batch
from followyouremoji.training.checkpointing import averaged_weights
from followyouremoji.training.config import load_run
from followyouremoji.training.drawings import Drawings, DrawingSettings, draw_folder, draw_identity
from followyouremoji.training.export import export_model
from followyouremoji.training.fingerprint import fingerprint, write_fingerprint
from followyouremoji.training.origin import DRAWN
from followyouremoji.training.picks import DrawingsPicks, open_picks
from followyouremoji.training.settings import AutoencoderRun, DataPart, DenoiserRun, Validation
from followyouremoji.training.trainer import train_denoiser
from followyouremoji.training.validation import validation_picks
from tests.checkpoints.small_models import write_vae
from tests.training.tiny import NETWORK_TABLE

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
latent_channels = 6
channels = [8, 16]
blocks = 1
"""

DENOISER = (
    """
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
"""
    + NETWORK_TABLE.replace("latent_channels = 4", "latent_channels = 6").replace(
        "image_width = 6", "image_width = 8"
    )
    + """
reference_landmarks = true
warped_reference = true
[network.qformer]
layers = 4
queries = 2
width = 8
heads = 2
"""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Drawings, read into latents by an autoencoder of a few steps."""
    folder = tmp_path_factory.mktemp("runs")
    draw_folder(
        folder / "drawings", DrawingSettings(identities=3, pictures=5, size=64, seed=7, clips=True), Local()
    )
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
    draw_folder(folder / "drawings", settings, Local())  # the same again costs nothing
    with pytest.raises(SettingsError, match="other drawings"):
        draw_folder(folder / "drawings", dataclasses.replace(settings, seed=8), Local())


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
    assert not model.config.guided
    settings = {"name": "tiny", "steps": 3, "shared_noise": 0.5, "overwrite": False}
    with pytest.raises(WeightsError, match="exists"):
        export_model(file, folder / "model", **settings)
    with pytest.raises(SettingsError, match=r"`reference_dropout` is 0.* a guidance scale of 1, not 3\.5"):
        export_model(file, folder / "another", **settings, guidance_scale=3.5)


@pytest.mark.slow
def test_a_tuned_decoder_is_resumed_handed_on_and_exported(folder) -> None:
    run = denoiser_run(folder, 1, "tuned", tune_decoder=True, picture_loss=1.0, picture_frames=4)
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
    exported = load_model(folder / "tuned model", "cpu").codec.autoencoder.state_dict()
    for name, value in {**before, **decoder}.items():
        assert torch.equal(exported[name].half(), value.half()), name
    assert any("encoder." in name for name in exported)


def test_a_decoder_of_others_is_not_tuned(folder, tmp_path) -> None:
    write_vae(tmp_path / "vae")
    run = denoiser_run(folder, 1, "unused", tune_decoder=True, picture_loss=1.0, autoencoder=tmp_path / "vae")
    with pytest.raises(SettingsError, match="needs a small autoencoder of your own"):
        train_denoiser(run)


@pytest.mark.slow
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
    values = dataclasses.asdict(config)
    del values["known_frames"]  # as versions before this entry wrote it
    assert parse(ModelConfig, json.dumps(values), "it").makes_keyframes


def test_batches_are_a_function_of_the_step(folder) -> None:
    run = denoiser_run(folder, 2, "unused")
    source = DrawingsPicks(folder / "drawings", seed=0)
    one, again, other = (make_batch(run, source, step) for step in (5, 5, 6))
    assert torch.equal(one.latents, again.latents)
    assert torch.equal(one.landmarks, again.landmarks)
    assert not torch.equal(one.latents, other.latents)
    assert one.latents.shape == (2, 6, 3, 8, 8)
    assert one.landmarks.shape == (2, 3, 3, 64, 64)
    assert one.expression_mask.shape == one.face_mask.shape == (2, 1, 3, 8, 8)
    assert 0 < float(one.expression_mask.mean()) < 1


def test_what_a_run_is_judged_on_is_checked_before_it_begins(folder, tmp_path) -> None:
    draw_folder(tmp_path / "few", DrawingSettings(identities=1, pictures=3, size=64), Local())
    for validation, message in (
        (Validation(drawings=tmp_path / "few"), "of 3 pictures: too few for 1 references with 3 targets"),
        (Validation(data=(DataPart(drawn=DrawnPart(size=72)),)), "72 pixels large.* a multiple of 16"),
        (Validation(data=(DataPart(shards=tmp_path),)), str(tmp_path)),
    ):
        with pytest.raises((SettingsError, DataError), match=message):
            train_denoiser(denoiser_run(folder, 1, "unjudged", validation=validation))
    assert not (folder / "unjudged").exists()


def test_drawn_people_to_judge_on_are_others_than_those_of_the_training(folder) -> None:
    data = (DataPart(drawn=DrawnPart(size=64)),)
    run = denoiser_run(folder, 1, "unused", drawings=None, data=data, validation=Validation(data=data))
    assert run.validation is not None
    training = open_picks(None, data, run.clip_frames, run.optimisation.seed)
    judged = validation_picks(run, run.validation, training, "")
    one, other = (source.pick(0, np.random.default_rng(0), 1, False) for source in (training, judged))
    assert not np.array_equal(one.portrait, other.portrait)
    assert validation_picks(run, Validation(), training, "") is training


@pytest.mark.slow
def test_another_autoencoder_s_latents_are_refused(folder, tmp_path) -> None:
    """At the start, when going on, in stage 2 and at export; its decoder may be another, and folders of earlier
    versions say nothing."""
    run = load_run(folder / "autoencoder.toml")
    assert isinstance(run, AutoencoderRun)
    autoencoder = finished_autoencoder(run)
    own = fingerprint(autoencoder)
    shifted = finished_autoencoder(run)
    shifted.config = dataclasses.replace(shifted.config, shift=9.0)
    assert fingerprint(shifted) != own
    with torch.no_grad():
        autoencoder.decoder[0].weight.add_(1.0)
        assert fingerprint(autoencoder) == own
        autoencoder.encoder[1].weight.add_(1e-3)
        assert fingerprint(autoencoder) != own

    drawings = tmp_path / "drawings"
    shutil.copytree(folder / "drawings", drawings)
    begun = denoiser_run(folder, 1, "other autoencoder", drawings=drawings)
    train_denoiser(begun, minutes=0)
    text = (folder / "stage1.toml").read_text().replace("/stage1", "/other autoencoder")
    (tmp_path / "run.toml").write_text(text)
    later = denoiser_run(folder, 2, "unused", initial=begun.output, drawings=drawings)
    write_latents(drawings, autoencoder)
    with pytest.raises(SettingsError, match=r"latents\.npy was encoded by another autoencoder"):
        train_denoiser(begun)
    (drawings / "latents.npy").unlink()
    write_fingerprint(begun.output, fingerprint(autoencoder))
    for refused in (begun, later):
        with pytest.raises(WeightsError, match="learnt from latents of another autoencoder"):
            train_denoiser(refused)

    def export() -> None:
        export_model(
            tmp_path / "run.toml", tmp_path / "model", name="m", steps=1, shared_noise=1, overwrite=False
        )

    with pytest.raises(WeightsError, match="learnt from latents of another autoencoder"):
        export()
    assert not (tmp_path / "model").exists()
    (begun.output / "encoder.json").write_text("{")
    with pytest.raises(WeightsError, match=r"encoder\.json is damaged"):
        export()
    (begun.output / "encoder.json").unlink()
    export()
    assert train_denoiser(begun).step == 4


def test_edited_settings_of_a_trained_network_are_told_from_its_weights(folder, tmp_path) -> None:
    if not (folder / "stage1" / "checkpoints").exists():
        train_denoiser(denoiser_run(folder, 1, "stage1"))
    text = (folder / "stage1.toml").read_text()
    (tmp_path / "run.toml").write_text(text.replace("context_width = 8", "context_width = 16"))
    with pytest.raises(WeightsError, match="another shape of"):
        export_model(
            tmp_path / "run.toml", tmp_path / "model", name="m", steps=1, shared_noise=1, overwrite=False
        )
    run = load_run(folder / "autoencoder.toml")
    assert isinstance(run, AutoencoderRun)
    wide = dataclasses.replace(run, autoencoder=dataclasses.replace(run.autoencoder, channels=(8, 24)))
    with pytest.raises(WeightsError, match="another shape of"):
        finished_autoencoder(wide)


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
