"""How a LoRA is trained; the command's defaults are these."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from followyouremoji.config import validated


@validated
class LoraSettings:
    """How a LoRA is trained."""

    steps: PositiveInt = 100
    """Steps of the training."""
    rank: PositiveInt = 8
    """Of the changes; more can learn more and makes a larger file."""
    alpha: PositiveFloat = 8.0
    """The changes' factor is alpha / rank."""
    convolutions: bool = False
    """Change the resnets' convolutions too, not the attentions alone: several times the file, a little more
    likeness."""
    learning_rate: PositiveFloat = 2e-3
    """AdamW's."""
    references: PositiveInt = 2
    """Portraits in a step."""
    targets: PositiveInt = 4
    """Frames that each portrait is animated to."""
    drawn_share: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of the portraits that are drawn people instead of this person."""
    checkpointing: bool = False
    """Compute activations anew in the backward pass: a third more time for much less memory."""
    views: PositiveInt = 12
    """Held-out views that are judged before and after."""
    save_every: PositiveInt = 20
    """Steps after which what is learnt so far is handed out to be kept."""
    seed: NonNegativeInt = 0
    """The same seed gives the same LoRA."""
