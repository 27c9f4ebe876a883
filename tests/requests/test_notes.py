"""What is told of a model before it works."""

from typing import Any

import pytest

from followyouremoji.animator import PortraitAnimator
from followyouremoji.requests.animation import notes_on_model
from followyouremoji.requests.request import AnimationRequest, ModelChoice
from followyouremoji.settings import AnimationSettings


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    return PortraitAnimator.from_pretrained("bundled", "cpu")


def codes(
    animator: PortraitAnimator, weights: str = "a model", job: Any = None, **settings: Any
) -> list[str]:
    request = AnimationRequest(
        portrait="a.png",
        driving="b.mp4",
        model=ModelChoice(weights=weights),
        settings=AnimationSettings(**settings),
        resume=job,
    )
    return [note.code for note in notes_on_model(animator, request)]


@pytest.mark.parametrize(
    ("steps", "speed", "told"),
    [(30, "lossless", True), (30, "paper", True), (30, "exact", False), (1, "lossless", False)],
)
def test_presets_that_were_measured_on_another_model_are_named(
    animator: PortraitAnimator, steps: int, speed: str, told: bool
) -> None:
    assert ("speed_unmeasured" in codes(animator, steps=steps, speed=speed)) == told
    assert codes(animator, "bundled", steps=steps, speed=speed) == ["drawn_model"]


def test_windows_of_a_scene_that_cannot_be_shared_are_told(animator: PortraitAnimator) -> None:
    assert codes(animator, job="job", long_clips="windows", speed="exact") == ["scenes_at_once"]
    assert codes(animator, batch=2, long_clips="windows", speed="exact") == ["scenes_at_once"]
    assert codes(animator, long_clips="windows", speed="exact") == []
    assert codes(animator, job="job", speed="exact") == []
