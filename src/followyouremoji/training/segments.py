"""What of a teacher's trajectory a student learns: the settings of a distillation, and where its training begins and
ends.

The teacher's way from noise to a clip is cut into as many segments as the student shall have steps (Wang et al. 2024,
"Phased Consistency Models"; Yan et al. 2024, "PeRFlow").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from followyouremoji.config import Share, validated
from followyouremoji.sampling.schedule import ddim_schedule
from followyouremoji.sampling.settings import TRAINING_STEPS


@validated
class Distillation:
    """Few steps without guidance, learnt from a trained model."""

    teacher: Annotated[str, Field(min_length=1)]
    """`released`, `bundled` or a model's folder: the trained model, with the run's `[network]`, `[landmarks]` and
    `window`."""
    steps: Literal[1, 2, 4]
    """The student's steps, with which its model is judged, and sampled by default."""
    guidance: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Guidance scale of the teacher, which the student learns to do without; more than 1 needs a teacher that was
    trained with `reference_dropout`."""
    teacher_steps: Annotated[int, Field(ge=1, le=TRAINING_STEPS)] = 32
    """The teacher's steps of DDIM from noise to a clip, a multiple of `steps`."""
    leap: PositiveInt | None = None
    """Teacher's steps in one step of the training; the student itself goes on to the end of its segment. By default the
    teacher goes all the way: the surest target, at the price of more passes."""
    shared_noise: Share = 0.0
    """Part of the noise that the frames of a clip share, while learning, and by default while sampling."""

    @model_validator(mode="after")
    def _segments_are_whole(self) -> Self:
        if self.teacher_steps % self.steps:
            raise ValueError(
                f"`teacher_steps` must be a multiple of the student's {self.steps} `steps`, not {self.teacher_steps}"
            )
        if self.segment % self.leaped:
            raise ValueError(
                f"`leap` must divide the {self.segment} teacher's steps of a segment evenly, not {self.leap}"
            )
        return self

    @property
    def segment(self) -> int:
        """Teacher's steps to one of the student's."""
        return self.teacher_steps // self.steps

    @property
    def leaped(self) -> int:
        """Teacher's steps in one step of the training."""
        return self.leap or self.segment

    def beginnings(self) -> np.ndarray:
        """Timesteps at which the student learns, int64, the first 999: where each of the teacher's leaps begins."""
        timesteps: np.ndarray = ddim_schedule(self.teacher_steps).timesteps.numpy()[:: self.leaped]
        return timesteps


@dataclass(frozen=True)
class Trajectory:
    """The places that a teacher goes through, place 0 is noise and the last one clean latents.

    Attributes
    ----------
    timesteps : (steps + 1,) int64, what the networks are told there; of the last place they are told nothing.
    angles : (steps + 1,) float32, of the noised latents `cos(angle) clean + sin(angle) noise`, from pi / 2 to 0.
    segment : places from one end of a segment to the next.
    """

    timesteps: Tensor
    angles: Tensor
    segment: int

    @classmethod
    def of(cls, settings: Distillation, device: torch.device) -> Trajectory:
        schedule = ddim_schedule(settings.teacher_steps)
        timesteps = torch.cat([schedule.timesteps, torch.zeros(1, dtype=torch.long)])
        angles = torch.from_numpy(np.append(schedule.angles, 0.0)).float()
        return cls(timesteps.to(device), angles.to(device), settings.segment)

    def place(self, timesteps: Tensor) -> Tensor:
        """The places of timesteps (n,) that are among its own."""
        steps = len(self.timesteps) - 1
        return ((TRAINING_STEPS - 1 - timesteps) * (steps / TRAINING_STEPS)).round().long()

    def end(self, place: Tensor) -> Tensor:
        """The ends of the segments that places (n,) are in; an end is in the segment that begins there."""
        return (place // self.segment + 1) * self.segment


def rotated(latents: Tensor, velocity: Tensor, turn: Tensor) -> Tensor:
    """DDIM's step for v-prediction by angles `turn` (n,): latents (n, c, f, h, w) closer to clean ones (see
    `Schedule`)."""
    turn = turn.view(-1, 1, 1, 1, 1)
    return turn.cos() * latents - turn.sin() * velocity


def velocity_between(begin: Tensor, end: Tensor, turn: Tensor) -> Tensor:
    """The one velocity by which `rotated` leads from `begin` to `end`, both (n, c, f, h, w); `turn` (n,) is not 0."""
    turn = turn.view(-1, 1, 1, 1, 1)
    return (turn.cos() * begin - end) / turn.sin()
