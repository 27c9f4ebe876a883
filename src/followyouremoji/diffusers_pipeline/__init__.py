"""The networks as a pipeline of Hugging Face's library diffusers, and model folders from its form and to it."""

from followyouremoji.diffusers_pipeline.conversion import from_diffusers, to_diffusers
from followyouremoji.diffusers_pipeline.model_card import model_card
from followyouremoji.diffusers_pipeline.outputs import FollowYourEmojiPipelineOutput
from followyouremoji.diffusers_pipeline.pipeline import FollowYourEmojiPipeline
from followyouremoji.diffusers_pipeline.scheduler import FollowYourEmojiScheduler

__all__ = [
    "FollowYourEmojiPipeline",
    "FollowYourEmojiPipelineOutput",
    "FollowYourEmojiScheduler",
    "from_diffusers",
    "model_card",
    "to_diffusers",
]
