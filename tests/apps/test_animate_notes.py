"""What `fye animate` tells of a model before it works."""

import dataclasses

import pytest

from followyouremoji.animator import PortraitAnimator
from followyouremoji.apps.animate import tell_limits
from followyouremoji.settings import AnimationSettings


@pytest.mark.parametrize(
    ("steps", "speed", "told"),
    [(30, "lossless", True), (30, "fastest", True), (30, "exact", False), (1, "lossless", False)],
)
def test_presets_that_nobody_measured_are_named(steps: int, speed: str, told: bool, capsys) -> None:
    calibrated = PortraitAnimator.from_pretrained("bundled", "cpu")
    not_calibrated = PortraitAnimator(calibrated.model)
    settings = dataclasses.replace(AnimationSettings(), steps=steps, speed=speed)
    tell_limits(calibrated, "a model", settings)
    assert "fye calibrate" not in capsys.readouterr().err
    tell_limits(not_calibrated, "a model", settings)
    assert ("fye calibrate" in capsys.readouterr().err) == told
