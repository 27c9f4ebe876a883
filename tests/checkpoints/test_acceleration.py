"""What is saved beside a checkpoint's weights of how its passes are forecast."""

from dataclasses import replace
from pathlib import Path

import pytest

from followyouremoji.checkpoints import save_model
from followyouremoji.checkpoints.acceleration import (
    Acceleration,
    Preset,
    denoiser_checksum,
    forecast_for,
    read_acceleration,
    write_acceleration,
)
from followyouremoji.checkpoints.folder import ACCELERATION_FILE
from followyouremoji.checkpoints.sources import BUNDLED
from followyouremoji.errors import SettingsError, WeightsError
from followyouremoji.sampling.forecast import EXACT, Forecast
from followyouremoji.sampling.forecast.placement import general_preset
from followyouremoji.sampling.forecast.presets import SPEEDS
from tests.checkpoints.small_models import small_paper_model

FOUND = Forecast(what="velocity", order=2, computed=(0, 7, 20, 29), correct=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_paper_model(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def found(folder: Path) -> Acceleration:
    presets = (Preset("lossless", 30, FOUND, {"faster": 7.4}), Preset("fast", 30, EXACT))
    return Acceleration(denoiser_checksum(folder), presets)


def test_there_and_back(folder: Path, found: Acceleration) -> None:
    file = folder / ACCELERATION_FILE
    assert read_acceleration(folder) is None
    write_acceleration(found, file)
    assert read_acceleration(folder) == found
    with pytest.raises(WeightsError, match="exists already"):
        write_acceleration(found, file)
    write_acceleration(replace(found, presets=()), file, overwrite=True)
    assert read_acceleration(folder) == replace(found, presets=())
    assert not list(folder.glob(".*"))
    file.unlink()


def test_other_weights_have_nothing_found_for_them(folder: Path, found: Acceleration) -> None:
    file = folder / ACCELERATION_FILE
    write_acceleration(replace(found, denoiser="0" * 64), file)
    assert read_acceleration(folder) is None
    file.unlink()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("[", "cannot be read as JSON"),
        ("[]", "damaged"),
        ('{"format": 9}', "format 9"),
        ('{"format": 1, "denoiser": ""}', "damaged"),
        ('{"format": 1, "denoiser": "", "presets": [{"speed": "warp", "steps": 3, "forecast": {}}]}', "warp"),
        (
            '{"format": 1, "denoiser": "", "presets": [{"speed": "fast", "steps": 3, "forecast": {"wat": 1}}]}',
            "wat",
        ),
        (
            '{"format": 1, "denoiser": "", "presets": [{"speed": "fast", "steps": 3, "forecast": {"computed": [0, 3]}}]}',
            "step 3 of 3",
        ),
    ],
)
def test_a_damaged_file_is_told_by_name(folder: Path, changed: str, said: str) -> None:
    file = folder / ACCELERATION_FILE
    file.write_text(changed)
    with pytest.raises(WeightsError, match=said) as raised:
        read_acceleration(folder)
    assert str(file) in str(raised.value)
    assert "fye calibrate" in str(raised.value)
    file.unlink()


def test_a_speed_is_looked_up_by_steps_and_falls_back_on_any_models(found: Acceleration) -> None:
    assert forecast_for(found, "exact", 30) == EXACT
    assert forecast_for(found, "lossless", 30) == FOUND
    assert forecast_for(found, "lossless", 59).computed == (0, 14, 40, 58)
    assert forecast_for(found, "lossless", 100) == general_preset("lossless", 100)  # too far from 30
    assert forecast_for(found, "fast", 30) == EXACT
    assert forecast_for(found, "fastest", 30) == general_preset("fastest", 30)
    assert forecast_for(None, "lossless", 30) == general_preset("lossless", 30)
    assert forecast_for(None, "what=clean,interval=2", 30) == Forecast(what="clean", interval=2)
    with pytest.raises(SettingsError, match="no speed 'warp'"):
        forecast_for(None, "warp", 30)


def test_the_bundled_model_has_been_calibrated() -> None:
    """For 30 steps; at its own 1 step everything is computed."""
    acceleration = read_acceleration(BUNDLED)
    assert acceleration is not None
    passes = [sum(forecast_for(acceleration, speed, 30).computes(30)) for speed in SPEEDS]
    assert passes == sorted(passes, reverse=True)
    assert passes[0] == 30
    assert passes[1] <= 11
    assert forecast_for(acceleration, "fastest", 1).computes(1) == [True]
