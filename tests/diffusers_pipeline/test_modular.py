"""The pipeline's stages as blocks of modular pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from diffusers.modular_pipelines.modular_pipeline import SequentialPipelineBlocks

from followyouremoji.diffusers_pipeline import FollowYourEmojiPipeline
from followyouremoji.diffusers_pipeline.modular import FollowYourEmojiBlocks
from followyouremoji.settings import AnimationSettings
from tests.diffusers_pipeline.test_pipeline import MOTIONS, DrawnPortrait, landmarks_of


def test_blocks_make_the_pipelines_frames_together_and_one_after_the_other(
    folder: Path,
    portrait: DrawnPortrait,
) -> None:
    asked = {"image": portrait.picture, "motion": MOTIONS[6], "image_landmarks": landmarks_of(portrait)}
    asked |= {"settings": AnimationSettings(steps=2, seed=3), "output_type": "np"}
    whole = FollowYourEmojiPipeline.from_pretrained(folder)
    whole.set_progress_bar_config(disable=True)
    frames = whole(**asked).frames

    together = FollowYourEmojiBlocks().init_pipeline(str(folder))
    together.load_components()
    np.testing.assert_array_equal(together(**asked, output="frames"), frames)

    blocks = FollowYourEmojiBlocks()
    decoding = blocks.sub_blocks.pop("decode")
    first = blocks.init_pipeline(str(folder))
    first.update_components(**together.components)
    state = first(**asked)
    assert sum(len(piece) for piece in state.get("pieces")) == 6
    assert state.get("frames") is None
    last = SequentialPipelineBlocks.from_blocks_dict({"decode": decoding}).init_pipeline(str(folder))
    last.update_components(**together.components)
    np.testing.assert_array_equal(last(state=state, output_type="np", output="frames"), frames)
