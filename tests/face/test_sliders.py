"""Poses as a user writes them."""

import numpy as np
import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.face.expressions import EXPRESSIONS, Expression
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sliders import ALIASES, EFFECTS, SLIDERS, STRONGEST


def pose(given: object) -> dict[str, float] | None:
    """A pose as settings hold it."""
    return AlignmentSettings(pose=given).pose  # type: ignore[arg-type]


def test_the_pose_of_the_issue() -> None:
    assert pose("smile=0.4,gaze_right=0.2") == {"smile": 0.4, "gaze_x": 0.2}
    assert pose(" gaze_down = 1 , surprised=.7 ") == {"gaze_y": -1.0, "surprised": 0.7}
    assert pose("") == pose("  ") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("smil=1", "did you mean smile"),
        ("zz=1", "woo, pout"),
        ("smile", "NAME=AMOUNT"),
        ("smile=1,", "NAME=AMOUNT"),
        ("smile=much", "from 0 to 1, not 'much'"),
        ("smile=1.1", "from 0 to 1, not 1.1"),
        ("smile=nan", "from 0 to 1, not nan"),
        ("yaw=-31", "from -30 to 30"),
        ("grin=1.6", "from 0 to 1.5"),
        ("smile=0.1,smile=0.2", "smile is given twice"),
        ("gaze_x=0.1,gaze_right=0.2", "gaze_x is given twice"),
        ("gaze_left=0.1,gaze_right=0.2", "gaze_x is given twice"),
    ],
)
def test_what_cannot_be_used_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        pose(text)
    assert caught.value.settings == ("pose",)


@pytest.mark.parametrize("amount", [True, "1", None, float("inf"), 2])
def test_amounts_of_a_mapping_are_numbers_in_their_range(amount: object) -> None:
    with pytest.raises(SettingsError, match="smile must be a number from 0 to 1"):
        pose({"smile": amount})


def test_settings_take_texts_and_mappings() -> None:
    assert pose("smile=1") == {"smile": 1.0}
    given = {"gaze_up": np.float32(0.5), "smile": 1}
    assert pose(given) == {"gaze_y": 0.5, "smile": 1.0}
    for wrong in (3, [("smile", 1)], {1: 1.0}):
        with pytest.raises(SettingsError, match="pose"):
            pose(wrong)


@pytest.mark.parametrize("head", ["absolute", "image"])
def test_a_pose_needs_a_motion_that_is_fitted(head: str) -> None:
    AlignmentSettings(head=head)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=f"head motion {head}") as caught:
        AlignmentSettings(head=head, pose={"smile": 1.0})  # type: ignore[arg-type]
    assert caught.value.settings == ("pose", "head")


def test_every_name_can_be_used_to_both_ends() -> None:
    names = [slider.name for slider in SLIDERS]
    assert len(set(names)) == len(names)
    assert not set(ALIASES) & set(EFFECTS)
    for slider in SLIDERS:
        assert slider.low <= 0.0 < slider.high
        assert (slider.effect == Expression()) == (slider.group == "head")
        for amount in (slider.low, 0.0, slider.high):
            assert pose({slider.name: amount}) == {slider.name: amount}
    for name in set(EXPRESSIONS) - set(names):
        assert pose({name: STRONGEST}) == {name: STRONGEST}


def test_heads_turn_by_thirty_degrees_and_all_else_is_a_share_of_a_movement() -> None:
    """Signed where a movement has two directions."""
    signed = {
        "gaze_x",
        "gaze_y",
        "left_eye_x",
        "left_eye_y",
        "right_eye_x",
        "right_eye_y",
        "jaw_aside",
        "mouth_aside",
    }
    for slider in SLIDERS:
        expected = (
            (-30.0, 30.0) if slider.group == "head" else (-1.0, 1.0) if slider.name in signed else (0.0, 1.0)
        )
        assert (slider.low, slider.high) == expected, slider.name


def test_a_gaze_has_a_name_for_each_direction() -> None:
    directions = {
        "right": {"gaze_x": 0.5},
        "left": {"gaze_x": -0.5},
        "up": {"gaze_y": 0.5},
        "down": {"gaze_y": -0.5},
    }
    assert {name: pose(f"gaze_{name}=0.5") for name in directions} == directions
