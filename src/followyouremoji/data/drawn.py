"""Drawn portraits as an endless source: every position is another identity, drawn when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from followyouremoji.data.source import TrainingClip
from followyouremoji.errors import SettingsError, is_number
from followyouremoji.face.topology import LEFT_EYE_LOOP, RIGHT_EYE_LOOP
from followyouremoji.portraits import (
    HELD_OUT_STYLES,
    STYLES,
    Performance,
    expressive_motion,
    random_identity,
    speech,
)

if TYPE_CHECKING:
    from followyouremoji.portraits import DrawnPortrait

Acting = Literal["motion", "singles"]


@dataclass(frozen=True)
class Drawn:
    """Clips of drawn people; a `ClipSource`.

    Attributes
    ----------
    size : width and height of the pictures, pixels; a multiple of 8
    seed : the same seed draws the same people
    styles : the styles that occur, equally often; a style named twice occurs twice as often; those of
        `HELD_OUT_STYLES`, kept for judging, only where they are named. Empty: all others, as often as
        `portraits.random_identity` makes them
    acting : "motion", successive frames of speech or of changing expressions; "singles", an expression of its own in
        every frame, which shows more of a face in few frames
    speech : share of the motions that are speech
    frame_rates : least and most frames a second of a motion; low rates show what a stride over frames would

    Raises
    ------
    SettingsError : a value that cannot be used.
    """

    size: int = 512
    seed: int = 0
    styles: Sequence[str] = ()
    acting: Acting = "motion"
    speech: float = 0.4
    frame_rates: Sequence[float] = (8.0, 25.0)

    def __post_init__(self) -> None:
        if isinstance(self.styles, str) or not isinstance(self.styles, Sequence):
            raise SettingsError(f"The `styles` of drawn portraits are a list of names, not {self.styles!r}.")
        unknown = [style for style in self.styles if style not in STYLES + HELD_OUT_STYLES]
        if unknown:
            raise SettingsError(
                f"There is no drawn style `{unknown[0]}`; there are {', '.join(STYLES + HELD_OUT_STYLES)}."
            )
        if type(self.size) is not int or not 32 <= self.size <= 2048 or self.size % 8:
            raise SettingsError(
                f"The `size` of drawn portraits is a multiple of 8, from 32 to 2048 pixels, not {self.size!r}."
            )
        if type(self.seed) is not int or self.seed < 0:
            raise SettingsError(
                f"The `seed` of drawn portraits is a whole number and not negative, not {self.seed!r}."
            )
        if self.acting not in get_args(Acting):
            raise SettingsError(f"The `acting` of drawn portraits is motion or singles, not {self.acting!r}.")
        if not is_number(self.speech) or not 0.0 <= self.speech <= 1.0:
            raise SettingsError(f"The share of `speech` must be from 0 to 1, not {self.speech!r}.")
        rates = self.frame_rates
        if not isinstance(rates, Sequence) or len(rates) != 2 or not all(map(is_number, rates)):
            raise SettingsError(f"`frame_rates` are two numbers, the lower first, not {rates!r}.")
        if not 0.0 < rates[0] <= rates[1]:
            raise SettingsError(f"`frame_rates` are two numbers above 0, the lower first, not {rates!r}.")

    @classmethod
    def from_table(cls, settings: Mapping[str, Any]) -> Drawn:
        """Drawn people as a config's table `drawn` describes them; raises SettingsError for an entry that they do not
        have, too."""
        if not isinstance(settings, Mapping):
            raise SettingsError(f"`drawn` must be a table, such as {{size = 512}}, not {settings!r}")
        known = [entry.name for entry in fields(cls)]
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise SettingsError(f"unknown entry {unknown[0]!r} of `drawn`; known are {', '.join(known)}")
        return cls(**settings)

    def clip(self, position: int, frames: int) -> TrainingClip:
        """See `ClipSource`: the identity that seed and position give, in `frames` frames of a performance.

        Raises SettingsError where skia, which draws, is not installed.
        """
        try:
            from followyouremoji.portraits import draw_portrait
        except ModuleNotFoundError as reason:
            raise SettingsError(
                "drawing portraits needs skia: pip install 'followyouremoji[portraits]'"
            ) from reason
        rng = np.random.default_rng((self.seed, position))
        style = str(rng.choice(self.styles)) if self.styles else None
        identity = random_identity(rng, style)
        drawn = [draw_portrait(identity, moment, self.size) for moment in self._performance(rng, frames)]
        return TrainingClip(
            key=f"drawn-{self.seed}-{position}-{identity.style}",
            pictures=np.stack([portrait.picture for portrait in drawn]),
            points=np.stack([spatial_points(portrait) for portrait in drawn]),
        )

    def _performance(self, rng: np.random.Generator, frames: int) -> list[Performance]:
        if self.acting == "singles":
            return [Performance.random(rng) for _ in range(frames)]
        frame_rate = float(rng.uniform(self.frame_rates[0], self.frame_rates[1]))
        talks = rng.random() < self.speech
        return (speech if talks else expressive_motion)(rng, frames, frame_rate)


def spatial_points(portrait: DrawnPortrait) -> np.ndarray:
    """The points of a drawn portrait with depth, ``(478, 3)`` float32 pixels: z as a face detector gives it, growing
    away from the camera, zero at the face's mean depth, in the same unit as x. An iris lies at the mean depth of its
    eye's outline."""
    camera = portrait.vertices @ portrait.pose[:3, :3].T + portrait.pose[:3, 3]
    distance = -camera[:, 2]
    scale = _pixels_per_centimetre(portrait, camera)
    depth = (distance - distance.mean()) * scale
    irises = np.repeat([depth[list(loop)].mean() for loop in (RIGHT_EYE_LOOP, LEFT_EYE_LOOP)], 5)
    return np.concatenate([portrait.points, np.concatenate([depth, irises])[:, None]], axis=1).astype(
        np.float32
    )


def _pixels_per_centimetre(portrait: DrawnPortrait, camera: np.ndarray) -> float:
    """At the face's mean distance: from how far its points are spread in the picture."""
    tangents = camera[:, :2] / -camera[:, 2:]
    spread = np.linalg.norm(tangents - tangents.mean(axis=0), axis=1).sum()
    mesh = portrait.points[: len(camera)]
    seen = np.linalg.norm(mesh - mesh.mean(axis=0), axis=1).sum()
    return float(seen / spread / -camera[:, 2].mean())
