"""A small model of random weights as a pipeline, and a drawn portrait with a motion for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.checkpoints import Model, save_model
from followyouremoji.diffusers_pipeline import FollowYourEmojiPipeline, to_diffusers
from tests.small_model import small_model

Call = Callable[..., np.ndarray]


@pytest.fixture
def pipe() -> FollowYourEmojiPipeline:
    return quiet(small_model())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model as a folder of diffusers, which no test changes."""
    models = tmp_path_factory.mktemp("models")
    return to_diffusers(save_model(small_model(), models / "small"), models / "diffusers")


def quiet(model: Model) -> FollowYourEmojiPipeline:
    """A pipeline without bars."""
    pipe = FollowYourEmojiPipeline.from_model(model)
    pipe.set_progress_bar_config(disable=True)
    return pipe
