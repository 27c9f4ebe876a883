"""`fye calibrate` and `--speed`, as a user runs them."""

from pathlib import Path

import pytest

from followyouremoji.checkpoints.acceleration import read_acceleration
from tests.apps.conftest import Run
from tests.apps.test_bad_input import assert_refused

pytest.importorskip("skia", reason="drawn portraits need skia")

GIVEN = ("calibrate", "bundled", "--output", "speeds.json", "--portrait")


def test_a_models_speeds_are_found_and_saved_beside_it(fye: Run, model: Path, clip: Path) -> None:
    ended = fye("calibrate", model, "--steps", 6, "--clips", 1, "--bound", 0.1)
    assert ended.code == 0, ended.err
    file = model / "acceleration.json"
    assert f"{file}: saved" in ended.out
    found = read_acceleration(model)
    assert found is not None
    assert {preset.speed for preset in found.presets} == {"lossless", "fast", "fastest"}
    assert {preset.steps for preset in found.presets} == {6}
    assert_refused(fye("calibrate", model, "--steps", 6), str(file), "--overwrite")
    ended = fye("weights", "verify", model)
    assert ended.code == 0, ended.out
    file.unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calibrate", "nowhere"), ("no checkpoint 'nowhere'",)),
        (("calibrate", "bundled", "--steps", 2), ("5 to 1000 steps",)),
        (("calibrate", "bundled", "--bound", 2), ("bound must be",)),
        (("calibrate", "bundled", "--portrait", "me.png"), ("both --portrait and --driving",)),
        (("calibrate", "bundled", "--output", "speeds.txt"), ("speeds.txt", ".json")),
        ((*GIVEN, "no.png", "--driving", "bundled:hello"), ("no file no.png",)),
        ((*GIVEN, "bundled:ada", "--driving", "no.mp4"), ("no file no.mp4",)),
        ((*GIVEN, "bundled:ada", "--driving", "bundled:no"), ("no bundled motion 'no'", "bundled:hello")),
    ],
)
def test_what_cannot_be_calibrated_is_refused_before_a_model_is_loaded(
    fye: Run, arguments: tuple[object, ...], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("followyouremoji.animator.PortraitAnimator.from_pretrained")
    assert_refused(fye(*arguments), *words)


def test_a_portrait_and_a_driving_that_come_with_the_program_can_be_measured_on(
    fye: Run, model: Path
) -> None:
    options = ("--steps", 5, "--bound", 0.1, "--output", "speeds.json")
    ended = fye("calibrate", model, "--portrait", "bundled:ada", "--driving", "bundled:hello", *options)
    assert ended.code == 0, ended.err
    assert Path("speeds.json").is_file()


def test_a_forecast_may_be_written_out(fye: Run, model: Path) -> None:
    fixed = ("animate", "bundled:ada", "bundled:hello", "--weights", model, "--steps", 6, "--stop", 2)
    told = fye(*fixed, "-o", "told.mp4", "--speed", "what=velocity,interval=3")
    assert "2 of 6 passes computed" in told.out, told.err
    assert_refused(fye(*fixed, "-o", "no.mp4", "--speed", "what=nonsense"), "what is one of", "velocity")


def test_an_unknown_speed_is_refused_with_those_that_exist(fye: Run) -> None:
    ended = fye("animate", "me.png", "you.mp4", "--speed", "warp")
    assert ended.code == 2
    for speed in ("exact", "lossless", "fast", "fastest"):
        assert speed in ended.err
