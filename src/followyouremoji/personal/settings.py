"""How a LoRA is trained; the command's defaults are these."""

from __future__ import annotations

import math
from dataclasses import dataclass

from followyouremoji.errors import SettingsError


@dataclass(frozen=True)
class LoraSettings:
    """How a LoRA is trained.

    Attributes
    ----------
    rank : of the changes; more can learn more and makes a larger file. alpha : their factor is alpha / rank.
    convolutions : change the resnets' convolutions too, not the attentions alone: several times the file, a little more
        likeness.
    references, targets : portraits in a step and frames that each is animated to.
    drawn_share : share of the portraits that are drawn people instead of this person.
    checkpointing : compute activations anew in the backward pass: a third more time for much less memory.
    views : held-out views that are judged before and after.
    save_every : steps after which what is learnt so far is handed out to be kept.

    Raises SettingsError for values that cannot be used.
    """

    steps: int = 100
    rank: int = 8
    alpha: float = 8.0
    convolutions: bool = False
    learning_rate: float = 2e-3
    references: int = 2
    targets: int = 4
    drawn_share: float = 0.25
    checkpointing: bool = False
    views: int = 12
    save_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "rank", "references", "targets", "views", "save_every"):
            if getattr(self, name) < 1:
                raise SettingsError(f"`{name}` must be 1 or more, not {getattr(self, name)}")
        for name in ("alpha", "learning_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise SettingsError(f"`{name}` must be a number above 0, not {value}")
        if not 0 <= self.drawn_share < 1:
            raise SettingsError(f"`drawn_share` is a share from 0 to below 1, not {self.drawn_share}")
        if self.seed < 0:
            raise SettingsError(f"`seed` must be 0 or more, not {self.seed}")
