"""The autoencoder that a config names."""

from pathlib import Path

import pytest

from followyouremoji.checkpoints.sources import BUNDLED
from followyouremoji.errors import WeightsError
from followyouremoji.training.codec import find_autoencoder, load_autoencoder
from followyouremoji.training.starts import start_of


def test_names_of_models_stand_for_their_folders() -> None:
    assert find_autoencoder(Path("bundled")) == BUNDLED
    assert load_autoencoder(Path("bundled")).latent_channels == 32  # of the model's config.json
    assert start_of(Path("bundled")).model == "bundled"
    assert start_of(Path("released")).model == "released"
    assert start_of(Path("runs/stage1")).run == Path("runs/stage1")


def test_files_and_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "run.toml").touch()
    assert find_autoencoder(tmp_path / "run.toml") == tmp_path / "run.toml"
    assert find_autoencoder(tmp_path) == tmp_path


@pytest.mark.parametrize("name", ["released", "nothing", "missing.toml"])
def test_what_is_not_there_is_refused_by_the_entry_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"^`autoencoder`: .*TOML file of a finished autoencoder's run"):
        find_autoencoder(Path(name))
