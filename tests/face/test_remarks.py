"""What users are told of what alignment changed."""

from dataclasses import replace

import numpy as np
import pytest

from followyouremoji.face.heads import Eased
from followyouremoji.face.identity import Amounts
from followyouremoji.face.neutral import OwnFace
from followyouremoji.face.remarks import NOTED, UNSEEN, notes_on_portrait, notes_on_travel, notes_on_turn
from followyouremoji.face.topology import mean_face
from tests.face.test_alignment import open_mouth

NOTHING = Amounts(0.0, 0.0, 0.0, 0.0)


def own(opened: float = 0.0, **shows: float) -> OwnFace:
    face = open_mouth(mean_face(), opened)
    return OwnFace(face, np.eye(4), mean_face(), NOTHING, replace(NOTHING, **shows))


@pytest.mark.parametrize(
    ("face", "words"),
    [
        (own(0.8, mouth=0.5), "its open mouth gave way"),
        (own(0.1, mouth=0.5), "the expression of its mouth gave way"),
        (own(right_eye=0.5), "its closed eye gave way"),
        (own(0.8, mouth=0.5, brows=0.5), "its open mouth and the expression of its brows gave way"),
        (
            own(0.8, mouth=0.5, brows=0.5, right_eye=0.5, left_eye=0.5),
            "its open mouth, the expression of its brows and its closed eyes gave way",
        ),
    ],
)
def test_what_of_a_portrait_gives_way_is_named(face: OwnFace, words: str) -> None:
    (note,) = notes_on_portrait(face)
    assert words in note


def test_of_what_is_uncertain_nothing_is_said() -> None:
    assert notes_on_portrait(own(mouth=NOTED, brows=NOTED, right_eye=NOTED, left_eye=NOTED)) == []


def test_how_far_a_head_goes_is_told_where_it_shows() -> None:
    aside, nearer = Eased("to the left", 0.8, 0.25), Eased("nearer", 1.5, 0.4)
    assert notes_on_travel((aside, nearer)) == [
        "The head would leave the picture: it travels at most 0.25 instead of 0.80 of the face's size to the left, "
        "40% instead of 150% larger."
    ]
    assert notes_on_travel((Eased("up", 0.5, 0.5 - 0.9 * UNSEEN),)) == []
    (turned,) = notes_on_turn((Eased("turned", 60.0, 28.0),))
    assert "turns by 28 instead of 60 degrees" in turned
