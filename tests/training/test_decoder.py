"""Runs that distil small decoders, for real but tiny: they learn from the teacher, resume exactly, and are exported."""

import csv
import dataclasses
from pathlib import Path

import pytest
import torch

pytest.importorskip("skia", reason="drawn portraits need skia-python")

from followyouremoji.checkpoints import save_model
from followyouremoji.checkpoints.decoders import load_decoder
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.executors import Local
from followyouremoji.networks.decoder import TAESD, DecoderConfig, ShuffleConfig
from followyouremoji.training.checkpointing import averaged_weights
from followyouremoji.training.config import load_decoder_run
from followyouremoji.training.decoder import export_decoder, train_decoder
from followyouremoji.training.drawings import DrawingSettings, draw_folder
from followyouremoji.training.settings import DecoderRun
from tests.checkpoints.small_models import small_paper_model, write_vae

CONFIGS = Path(__file__).parents[2] / "configs"
RUN = """
kind = "decoder"
drawings = "{folder}/drawings"
output = "{folder}/{name}"
autoencoder = "{folder}/{teacher}"
tensorboard = false
batch = 2
log_every = 1
[optimisation]
steps = 6
warmup = 1
decay = 1
learning_rate = 1e-2
[decoder]
"""
STUDENTS = {
    "vae": "taesd = { width = 4, blocks = [1, 1, 1, 1] }",
    "model": "latent_channels = 8\nshuffle = { channels = [4, 8], blocks = 1 }",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawings, two teachers, and a run for each: Stable Diffusion's autoencoder and a small one, of random weights."""
    folder = tmp_path_factory.mktemp("decoders")
    draw_folder(folder / "drawings", DrawingSettings(identities=3, pictures=3, size=64, seed=7), Local())
    write_vae(folder / "vae")
    save_model(small_paper_model(), folder / "model")
    for teacher, student in STUDENTS.items():
        text = RUN.format(folder=folder, name=f"of {teacher}", teacher=teacher) + student
        (folder / f"{teacher}.toml").write_text(text)
    return folder


def of(folder: Path, teacher: str, **changes: object) -> DecoderRun:
    return dataclasses.replace(load_decoder_run(folder / f"{teacher}.toml"), **changes)  # type: ignore[arg-type]


def log(run: DecoderRun) -> list[dict[str, str]]:
    with (run.output / "log.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("teacher", STUDENTS)
def test_a_student_comes_nearer_to_its_teacher_and_is_exported(teacher: str, folder: Path) -> None:
    run = of(folder, teacher)
    assert train_decoder(run).reason == "finished"
    rows = log(run)
    assert float(rows[-1]["psnr"]) > float(rows[0]["psnr"]) + 1  # dB
    file = export_decoder(folder / f"{teacher}.toml", folder / f"{teacher}.safetensors", overwrite=True)
    decoder = load_decoder(file, run.decoder.latent_channels, torch.device("cpu"))
    for name, value in averaged_weights(run.output).items():
        assert torch.equal(decoder.state_dict()[name], value.half().float())


def test_a_stopped_run_goes_on_as_if_unbroken(folder: Path) -> None:
    whole, broken = (of(folder, "model", output=folder / name) for name in ("whole", "broken"))
    train_decoder(whole)
    assert train_decoder(broken, minutes=0).step == 1
    train_decoder(broken)
    for name, value in averaged_weights(whole.output).items():
        assert torch.equal(value, averaged_weights(broken.output)[name]), name
    for figure in ("step", "loss", "psnr", "gradient_norm", "learning_rate"):
        assert [row[figure] for row in log(whole)] == [row[figure] for row in log(broken)]


def test_a_run_refuses_another_teacher(folder: Path) -> None:
    run = of(folder, "model", output=folder / "refuses")
    train_decoder(run, minutes=0)
    other = small_paper_model()
    with torch.no_grad():
        other.codec.autoencoder.encoder[1].bias += 1  # type: ignore[union-attr, index, operator]
    save_model(other, folder / "other model")
    with pytest.raises(WeightsError, match=r"latents of another autoencoder than .*other model"):
        train_decoder(dataclasses.replace(run, autoencoder=folder / "other model"))
    with pytest.raises(SettingsError, match=r"latents of 4 channels, `latent_channels` of the decoder is 8"):
        train_decoder(dataclasses.replace(run, autoencoder=folder / "vae"))


def test_a_decoder_of_another_kind_of_run_is_not_exported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not describe a decoder's run"):
        export_decoder(CONFIGS / "bundled" / "autoencoder.toml", tmp_path / "file", overwrite=False)
    never = tmp_path / "never.toml"
    never.write_text((folder / "model.toml").read_text().replace("of model", "never trained"))
    with pytest.raises(WeightsError, match="holds no training run"):
        export_decoder(never, tmp_path / "file", overwrite=False)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("stable_diffusion", TAESD),
        ("bundled", DecoderConfig(latent_channels=32, shuffle=ShuffleConfig(channels=(32, 64)))),
    ],
)
def test_the_configs_that_come_with_the_project_are_read(name: str, sizes: DecoderConfig) -> None:
    assert load_decoder_run(CONFIGS / "decoder" / f"{name}.toml").decoder == sizes


@pytest.mark.parametrize("table", ["", "taesd = {}\nshuffle = {}"])
def test_a_student_has_one_structure(table: str, folder: Path) -> None:
    file = folder / "structures.toml"
    file.write_text((folder / "vae.toml").read_text().replace(STUDENTS["vae"], table))
    with pytest.raises(SettingsError, match=r"structures\.toml.* either the structure `taesd` or `shuffle`"):
        load_decoder_run(file)
