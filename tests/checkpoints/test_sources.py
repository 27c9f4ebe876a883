"""Finding, listing and verifying checkpoints."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from followyouremoji.checkpoints import (
    cache_folder,
    find_checkpoint,
    list_checkpoints,
    load_model,
    save_model,
    sources,
    verify_checkpoint,
)
from followyouremoji.errors import WeightsError
from tests.checkpoints.small_models import PAPER, small_paper_model


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def folder(home):
    home.mkdir()
    return save_model(small_paper_model(), home / "mine", dtype=torch.float16)


def test_the_cache_folder_is_fye_home_or_the_platforms(home, monkeypatch) -> None:
    assert cache_folder() == home
    monkeypatch.delenv("FYE_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere/cache")
    assert str(cache_folder()) == "/somewhere/cache/followyouremoji"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(cache_folder()) == "/home/ada/.cache/followyouremoji"


def test_what_is_missing_says_how_to_get_it(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sources, "BUNDLED", tmp_path / "bundled")
    for source, advice in {
        "bundled": "install",
        "released": "fye weights download",
        "no/such/folder": "fye weights list",
    }.items():
        with pytest.raises(WeightsError, match=advice):
            load_model(source)


def test_a_checkpoint_in_the_cache_is_found_by_its_name_and_listed(
    folder, home, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(sources, "BUNDLED", tmp_path / "bundled")
    assert find_checkpoint("mine") == find_checkpoint(folder) == folder
    (home / "downloads").mkdir()
    (home / "broken").mkdir()
    (home / "broken" / "config.json").write_text("{")
    rows = {row.name: row for row in list_checkpoints()}
    assert list(rows) == ["bundled", "released", "broken", "mine"]
    assert [row.present for row in rows.values()] == [False, False, False, True]
    assert rows["mine"].size == sum(file.stat().st_size for file in folder.iterdir())
    assert (rows["mine"].layout, rows["mine"].note) == ("paper", PAPER.provenance)
    assert "fye weights download" in rows["released"].note
    assert "config.json" in rows["broken"].note


def test_the_bundled_model_is_a_checkpoint_like_any_other(monkeypatch, folder) -> None:
    monkeypatch.setattr(sources, "BUNDLED", folder)
    assert load_model(device="cpu").config == PAPER


def test_verifying_finds_nothing_wrong_with_what_was_saved(folder) -> None:
    found = verify_checkpoint(folder)
    assert found.ok
    assert found.config == PAPER
    model = small_paper_model()
    for part in found.parts:
        network = model.parts()[part.part.removesuffix(".safetensors")]
        assert part.values == sum(p.numel() for p in network.parameters())
        assert part.size == (folder / part.part).stat().st_size
    assert len(found.parts) == 5


def test_verifying_names_every_damaged_file(folder) -> None:
    flipped = bytearray((folder / "landmark_encoder.safetensors").read_bytes())
    flipped[-1] ^= 1
    (folder / "landmark_encoder.safetensors").write_bytes(flipped)
    tensors = load_file(folder / "denoiser.safetensors")
    tensors["conv_out.bias"][0] = float("nan")
    save_file(tensors, folder / "denoiser.safetensors")
    (folder / "qformer.safetensors").unlink()
    (folder / "appearance_net.safetensors").write_bytes(b"not tensors")
    (folder / "notes.txt").write_text("mine")
    values = json.loads((folder / "config.json").read_text())
    del values["files"]["autoencoder.safetensors"]
    (folder / "config.json").write_text(json.dumps(values))

    found = verify_checkpoint(folder)
    assert not found.ok
    problems = {part.part: " ".join(part.problems) for part in found.parts}
    assert "conv_out.bias" in problems["denoiser.safetensors"]
    assert "not finite" in problems["denoiser.safetensors"]
    assert "checksum differs" in problems["denoiser.safetensors"]
    assert "checksum differs" in problems["landmark_encoder.safetensors"]
    assert "is missing" in problems["qformer.safetensors"]
    assert "is damaged" in problems["appearance_net.safetensors"]
    assert "no checksum" in problems["autoencoder.safetensors"]
    assert "no part of this checkpoint" in problems["notes.txt"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(picture_size=65536), "`picture_size` must be a whole number from 1 to 4096"),
        (
            lambda c: c["network"].update(layers_per_block=65536),
            "`network.layers_per_block` must be a whole number",
        ),
        (lambda c: c["network"].update(block_channels=[16] * 100), "`network.block_channels`"),
        (lambda c: c.update(guidance_scale=float("inf")), "the number Infinity is not finite"),
        (lambda c: c.update(name="x" * 5000), "`name` must be text"),
        (lambda c: c.update({"\x1b[2J" * 100: 1}), r"unknown entry `\x1b[2J"),
        (
            lambda c: c["files"].update({"../../etc/passwd": {"size": 1, "sha256": "0" * 64}}),
            "no path inside",
        ),
        (lambda c: c["files"].update({"qformer.safetensors": {"size": 1, "sha256": "x"}}), "sha256"),
    ],
)
def test_a_config_of_no_model_is_refused_shortly_and_the_others_are_listed(
    folder, home, monkeypatch, tmp_path, change, words
) -> None:
    monkeypatch.setattr(sources, "BUNDLED", tmp_path / "bundled")
    (home / "other").mkdir()
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (home / "other" / "config.json").write_text(json.dumps(values))
    *_, mine, other = list_checkpoints()
    assert mine.present
    assert not other.present
    assert words in other.note
    assert len(other.note) < 500


def test_what_a_model_says_of_itself_is_listed_shortly_and_steers_no_terminal(
    folder, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(sources, "BUNDLED", tmp_path / "bundled")
    values = json.loads((folder / "config.json").read_text())
    values["provenance"] = "\x1b[2JTrained." + "!" * 5000
    (folder / "config.json").write_text(json.dumps(values))
    *_, mine = list_checkpoints()
    assert mine.note.startswith(r"\x1b[2JTrained.!")
    assert len(mine.note) == sources.STATED
