"""What `fye animate` tells of a model before it works."""

import pytest
from followyouremoji.apps.animate import tell_limits

from followyouremoji.animator import PortraitAnimator
from followyouremoji.settings import AnimationSettings


@pytest.mark.parametrize(
    ("steps", "speed", "told"),
    [(30, "lossless", True), (30, "paper", True), (30, "exact", False), (1, "lossless", False)],
)
def test_presets_that_were_measured_on_another_model_are_named(
    steps: int, speed: str, told: bool, capsys
) -> None:
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    settings = AnimationSettings(steps=steps, speed=speed)
    tell_limits(animator, "a model", settings)
    assert ("--speed exact" in capsys.readouterr().err) == told
    tell_limits(animator, "bundled", settings)
    assert "--speed exact" not in capsys.readouterr().err


def test_windows_of_a_scene_that_cannot_be_shared_are_told(capsys) -> None:
    animator = PortraitAnimator.from_pretrained("bundled", "cpu")
    windows = AnimationSettings(long_clips="windows")
    for settings, job, told in (
        (windows, True, True),
        (windows, False, False),
        (AnimationSettings(), True, False),
    ):
        tell_limits(animator, "a model", settings, job)
        assert ("kept scene by scene" in capsys.readouterr().err) == told


def test_devices_that_round_differently_are_told(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    model = PortraitAnimator.from_pretrained("bundled", "cpu").model
    shared = PortraitAnimator(model, (model,))
    tell_limits(shared, "a model", AnimationSettings())
    assert "round differently" not in capsys.readouterr().err
    names = iter(["an H100", "an A100"])
    monkeypatch.setattr("followyouremoji.apps.animate.device_name", lambda device: next(names))
    tell_limits(shared, "a model", AnimationSettings())
    assert "an H100 and an A100 round differently" in capsys.readouterr().err
