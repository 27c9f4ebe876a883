"""A small model, a drawn portrait, and what the one makes of the other before it generates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.portraits import DrawnPortrait
    from followyouremoji.preparation import Prepared


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    from followyouremoji.animator import PortraitAnimator
    from tests.small_model import small_model

    return PortraitAnimator(small_model())


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.portraits import Identity, Performance, draw_portrait

    return draw_portrait(Identity.random(np.random.default_rng(3), "person"), Performance(), 96)


@pytest.fixture(scope="module")
def prepared(animator: PortraitAnimator, portrait: DrawnPortrait) -> Prepared:
    from tests.test_preparation import drawn_motion, landmarks_of

    return animator.prepare(portrait.picture, drawn_motion(6), portrait_landmarks=landmarks_of(portrait))
