"""Model folders in both forms, byte for byte, and what is said of one that is not whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from followyouremoji import FollowYourEmojiPipeline
from followyouremoji.checkpoints import convert_released, find_checkpoint, load_model, save_model
from followyouremoji.diffusers_pipeline import from_diffusers, to_diffusers
from followyouremoji.errors import WeightsError
from tests.apps.conftest import Run, fye  # noqa: F401 (a fixture)
from tests.checkpoints.small_models import RELEASED_NETWORK, write_published
from tests.small_model import small_model


def content(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def test_the_bundled_model_there_and_back(fye: Run) -> None:  # noqa: F811
    """By the commands, whose outputs are relative to the folder that they run in."""
    made = fye("weights", "to-diffusers", "bundled", "pipeline")
    assert made.code == 0
    assert "ready; load it with FollowYourEmojiPipeline.from_pretrained" in made.out
    assert fye("weights", "from-diffusers", "pipeline", "model").code == 0
    assert content(Path("model")) == content(find_checkpoint("bundled"))
    assert fye("weights", "verify", "model").code == 0

    again = fye("weights", "to-diffusers", "bundled", "pipeline")
    assert again.code == 2
    assert "exists already" in again.err
    assert "--overwrite" in again.err
    assert fye("weights", "to-diffusers", "bundled", "pipeline", "--overwrite").code == 0
    refused = fye("weights", "from-diffusers", "model", "other")
    assert refused.code == 2
    assert "model_index.json is missing" in refused.err
    assert sorted(entry.name for entry in Path().iterdir()) == ["model", "pipeline"]


def test_a_model_with_foreign_parts_there_and_back(tmp_path: Path) -> None:
    """Stable Diffusion's autoencoder and CLIP's image encoder, in small; the latter in the pickle that its authors
    publish."""
    model = convert_released(
        write_published(tmp_path / "published"), tmp_path / "model", network=RELEASED_NETWORK
    )
    made = to_diffusers(model, tmp_path / "pipeline")
    assert content(from_diffusers(made, tmp_path / "back")) == content(model)

    pipe = FollowYourEmojiPipeline.from_pretrained(made)
    loaded = load_model(model, "cpu")
    for name, part in loaded.parts().items():
        ours, theirs = part.state_dict(), pipe._assembled().parts()[name].state_dict()
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            assert torch.equal(value, theirs[key]), (name, key)


def test_a_saved_pipeline_becomes_a_model_with_the_same_tensors(tmp_path: Path) -> None:
    model = save_model(small_model(), tmp_path / "model")
    FollowYourEmojiPipeline.from_checkpoint(model).save_pretrained(tmp_path / "pipeline")
    back = from_diffusers(tmp_path / "pipeline", tmp_path / "back")
    assert (
        json.loads((back / "config.json").read_text())["network"]
        == json.loads((model / "config.json").read_text())["network"]
    )
    for file in model.glob("*.safetensors"):
        before, after = load_file(file), load_file(back / file.name)
        assert before.keys() == after.keys()
        for name, value in before.items():
            assert value.dtype == after[name].dtype
            assert torch.equal(value, after[name]), name


def without(*names: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in names:
            place = folder / name
            shutil.rmtree(place) if place.is_dir() else place.unlink()

    return remove


def cut_off(folder: Path) -> None:
    file = folder / "denoiser/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def without_a_tensor(folder: Path) -> None:
    file = folder / "qformer/diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["queries"]
    save_file(tensors, file)


def edited(file: str, **entries: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / file).read_text()) | entries
        (folder / file).write_text(json.dumps(values))

    return edit


def sharded(folder: Path) -> None:
    file = folder / "denoiser/diffusion_pytorch_model.safetensors"
    file.rename(file.with_name("diffusion_pytorch_model.fp16.safetensors"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("model_index.json"), "model_index.json is missing: the folder is incomplete"),
        (without("appearance_net"), "appearance_net.config.json is missing"),
        (without("vae/diffusion_pytorch_model.safetensors"), "vae.*safetensors is missing"),
        (without("qformer/config.json"), "qformer.config.json is missing"),
        (without("scheduler"), "scheduler.scheduler_config.json is missing"),
        (cut_off, "denoiser.*is damaged or not a whole safetensors file"),
        (without_a_tensor, "qformer.*does not fit its network: queries is missing"),
        (sharded, "there is diffusion_pytorch_model.fp16.safetensors: save the pipeline with neither"),
        (edited("model_index.json", _class_name="WanPipeline"), "is of the pipeline 'WanPipeline'"),
        (edited("model_index.json", model=None), "says nothing of the model"),
        (edited("model_index.json", model={"name": "x", "step": 3}), "unknown entry `step`"),
        (edited("denoiser/config.json", sizes=None), "has no entry `sizes`"),
        (edited("denoiser/config.json", sizes={"layout": "paper"}), "needs `qformer`"),
    ],
)
def test_a_folder_that_is_not_whole(folder: Path, tmp_path: Path, damage: Callable, message: str) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(WeightsError, match=message):
        from_diffusers(broken, tmp_path / "model")
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken"]
    if damage in (cut_off, without_a_tensor):  # where diffusers alone would tell little or nothing
        with pytest.raises(WeightsError, match=message):
            FollowYourEmojiPipeline.from_pretrained(broken)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no folder"):
        from_diffusers(tmp_path / "nowhere", tmp_path / "model")
    with pytest.raises(WeightsError, match=r"there is no folder .*nowhere"):
        FollowYourEmojiPipeline.from_pretrained(tmp_path / "nowhere")


def test_a_damaged_checkpoint_is_not_converted(tmp_path: Path) -> None:
    model = save_model(small_model(), tmp_path / "model")
    file = model / "denoiser.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"denoiser.safetensors was changed or damaged"):
        to_diffusers(model, tmp_path / "pipeline")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
