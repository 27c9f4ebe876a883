"""A small model, a drawn portrait, and what the one makes of the other before it generates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

# One thread a test process, and a process a core (`./dev check`). Two spinning threads on small pictures took up to 39
# times as long on a busy machine. NumPy, torch and the processes that tests start read this as they load.
os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
# The time in every record: the same command makes the same bytes.
os.environ["SOURCE_DATE_EPOCH"] = "1764547200"

import numpy as np
import pytest

if TYPE_CHECKING:
    from followyouremoji.animator import PortraitAnimator
    from followyouremoji.portraits import DrawnPortrait
    from followyouremoji.prepared import Prepared


@pytest.fixture(scope="module")
def animator() -> PortraitAnimator:
    from followyouremoji.animator import PortraitAnimator
    from tests.small_model import small_model

    return PortraitAnimator(small_model())


@pytest.fixture(scope="module")
def portrait() -> DrawnPortrait:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.portraits import Performance, draw_portrait, random_identity

    return draw_portrait(random_identity(np.random.default_rng(3), "person"), Performance(), 96)


@pytest.fixture(scope="module")
def prepared(animator: PortraitAnimator, portrait: DrawnPortrait) -> Prepared:
    from tests.test_preparation import drawn_motion, landmarks_of

    return animator.prepare(portrait.picture, drawn_motion(6), portrait_landmarks=landmarks_of(portrait))
