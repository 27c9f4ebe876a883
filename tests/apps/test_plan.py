"""`fye train plan` as a user runs it; the commands stand alone here as they do in the `train` group."""

from pathlib import Path

import pytest
import typer

from followyouremoji.apps.plan import data_size, plan
from followyouremoji.errors import SettingsError
from followyouremoji.training.config import load_run
from followyouremoji.training.encoders import load_encoders
from followyouremoji.training.settings import DenoiserRun
from tests.data.samples import SIZE, write_shard

CONFIGS = Path(__file__).parents[2] / "configs" / "paper"


def test_the_smoke_config_is_planned(capsys, monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    plan(CONFIGS / "smoke.toml", gpus=1, memory=None, chip="4090", share=None, size=None)
    told = capsys.readouterr().out
    assert "10 steps of 2 portraits" in told
    assert "128x128" in told
    assert "It fits as it is." in told
    assert "35% of it assumed" in told


def test_the_size_is_that_of_the_shards_where_they_are_there(tmp_path) -> None:
    drawn = "data = [{ drawn = { size = 128 }, weight = 1.0 }]"
    text = (CONFIGS / "smoke.toml").read_text()
    assert drawn in text
    shards = tmp_path / "clips"
    path = tmp_path / "run.toml"
    path.write_text(text.replace(drawn, f'data = [{{ drawn = {{}} }}, {{ shards = "{shards}" }}]'))
    run = load_run(path)
    assert isinstance(run, DenoiserRun)
    assert data_size(run) is None
    shards.mkdir()
    write_shard(shards / "shard-000000.tar", [2])
    assert data_size(run) == SIZE


def test_what_cannot_be_planned_is_refused(tmp_path) -> None:
    with pytest.raises(SettingsError, match="unknown chip 'abacus'"):
        plan(CONFIGS / "smoke.toml", chip="abacus")
    with pytest.raises(SettingsError, match="no such file"):
        plan(tmp_path / "missing.toml")
    with pytest.raises(SettingsError, match="autoencoder's run"):
        plan(CONFIGS.parent / "bundled" / "autoencoder.toml")
    with pytest.raises(SettingsError, match="multiple of 16"):
        plan(CONFIGS / "smoke.toml", gpus=1, memory=80, chip="h100", share=0.3, size=130)


def test_the_command_has_help() -> None:
    app = typer.Typer()
    app.command()(plan)
    command = typer.main.get_command(app)
    assert {"config", "gpus", "memory", "chip", "share", "size"} <= {p.name for p in command.params}


@pytest.mark.parametrize(
    ("name", "stage", "steps", "portraits", "targets"),
    [("stage1", 1, 30_000, 32, 1), ("stage2", 2, 10_000, 32, 16), ("smoke", 1, 10, 2, 1)],
)
def test_the_paper_s_figures_are_in_the_configs(name, stage, steps, portraits, targets) -> None:
    """Sec. 4.1: 30k steps at batch 32 on single frames; 10,000 steps at batch 32 on 16 frames."""
    run = load_run(CONFIGS / f"{name}.toml")
    assert isinstance(run, DenoiserRun)
    found = (run.stage, run.optimisation.steps, run.references, run.targets)
    assert found == (stage, steps, portraits, targets)
    assert run.network.qformer is not None
    assert run.network.qformer.layers == 4
    assert run.expression_mask
    assert run.face_mask
    assert run.progressive


def test_the_smoke_config_fits_the_bundled_autoencoder(monkeypatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    run = load_run(CONFIGS / "smoke.toml")
    assert isinstance(run, DenoiserRun)
    assert load_encoders(run).image_encoder is None
