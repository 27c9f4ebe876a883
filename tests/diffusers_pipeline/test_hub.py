"""Uploads and downloads, with a hub on this machine, and the model card that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants, hf_api, metadata_load
from huggingface_hub.errors import HfHubHTTPError

from followyouremoji import FollowYourEmojiPipeline
from followyouremoji.checkpoints import find_checkpoint
from followyouremoji.checkpoints.folder import read_config
from followyouremoji.checkpoints.lora import Lora, write_lora
from followyouremoji.diffusers_pipeline import model_card
from followyouremoji.errors import WeightsError
from tests.apps.conftest import Run, fye  # noqa: F401 (a fixture)
from tests.diffusers_pipeline.hub import TOKEN, Hub, running_hub
from tests.small_model import small_model

NAME = "someone/small-model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(hf_api.api, "endpoint", server.address)  # which diffusers asks
        template = f"{server.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # large files over HTTP
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        yield server


def test_a_pipeline_is_uploaded_and_fetched(pipe: FollowYourEmojiPipeline, hub: Hub, tmp_path: Path) -> None:
    pipe.push_to_hub(NAME, token=TOKEN, private=True)
    repository = hub.repositories[NAME]
    pipe.save_pretrained(tmp_path / "saved")
    saved = {
        file.relative_to(tmp_path / "saved").as_posix(): file.read_bytes()
        for file in (tmp_path / "saved").rglob("*")
        if file.is_file()
    }
    assert repository.files.keys() == saved.keys()
    for name, content in saved.items():
        assert name == "README.md" or repository.files[name] == content, name
    assert f'from_pretrained("{NAME}")' in repository.files["README.md"].decode()
    assert repository.commits == ["Upload FollowYourEmojiPipeline"]
    assert repository.private

    fetched = FollowYourEmojiPipeline.from_pretrained(NAME, cache_dir=tmp_path / "cache", token=TOKEN)
    for name, value in pipe.denoiser.state_dict().items():
        assert torch.equal(fetched.denoiser.state_dict()[name], value)

    repository.files["README.md"] = b"A page of the owner's."
    pipe.push_to_hub(NAME, token=TOKEN, commit_message="Again")
    assert repository.files["README.md"] == b"A page of the owner's."
    assert repository.commits[1:] == ["Again"]
    assert not hub.refused


def test_saving_can_upload(pipe: FollowYourEmojiPipeline, hub: Hub, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "saved", push_to_hub=True, repo_id=NAME, token=TOKEN)
    assert hub.repositories[NAME].files["README.md"] == (tmp_path / "saved/README.md").read_bytes()
    assert not hub.refused


def test_without_leave_nothing_is_uploaded(pipe: FollowYourEmojiPipeline, hub: Hub) -> None:
    with pytest.raises(HfHubHTTPError, match="401"):
        pipe.push_to_hub(NAME, token="hf_ofanother")
    assert not hub.repositories


def test_what_is_fetched_must_be_whole(pipe: FollowYourEmojiPipeline, hub: Hub, tmp_path: Path) -> None:
    pipe.push_to_hub(NAME, token=TOKEN)
    del hub.repositories[NAME].files["qformer/config.json"]
    with pytest.raises(WeightsError, match=r"qformer.config.json is missing"):
        FollowYourEmojiPipeline.from_pretrained(NAME, cache_dir=tmp_path / "cache", token=TOKEN)


def test_the_card_has_entries_that_the_hub_reads(tmp_path: Path) -> None:
    config, _ = read_config(find_checkpoint("bundled"))
    (tmp_path / "README.md").write_text(model_card(config), encoding="utf-8")
    entries = metadata_load(tmp_path / "README.md")
    assert entries["license"] == "apache-2.0"
    assert entries["library_name"] == "diffusers"
    assert entries["pipeline_tag"] == "image-to-video"
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.to_dict() == entries
    assert config.provenance in card.text

    other = ModelCard(model_card(replace(small_model().config, name="Ada: her model")))
    assert other.data.license is None
    assert "name one as `license`" in other.text


@pytest.mark.slow
def test_the_snippets_of_the_page_run_as_written(
    hub: Hub,
    fye: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    text = (Path(__file__).parents[2] / "docs/guides/diffusers.md").read_text(encoding="utf-8")
    layer = "denoiser.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    lora = {f"{layer}.lora_A.weight": torch.ones(1, 128), f"{layer}.lora_B.weight": torch.ones(128, 1)}
    write_lora(Lora(lora, 1, 1.0, "bundled"), Path("ada.safetensors"))
    names: dict[str, object] = {}
    for language, block in re.findall(r"```(python|sh)(?: title=.*?)?\n(.*?)```", text, re.DOTALL):
        if language == "python":
            exec(block, names)
        else:
            for line in block.splitlines():
                assert fye(*line.split()[1:]).code == 0, line
    assert Path("hello.png").is_file()
    assert not hub.refused
