"""What the page's controls say, as the settings of an animation: checked here, where a browser's words come in."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field

from followyouremoji.config import validated
from followyouremoji.face.settings import AlignmentSettings, HeadMotion, Loop, PortraitExpression, Strength
from followyouremoji.media.ranges import moment_text
from followyouremoji.requests.request import ClipSettings
from followyouremoji.settings import AnimationSettings, Switch

Seconds = Annotated[float, Field(ge=0.0, le=1e6)]


@validated
class Controls:
    """Of the tab Animate; as in `AlignmentSettings`, `ClipSettings` and `AnimationSettings`.

    `start` and `length` are seconds of the driving; with a length of 0 it is used to its end.
    """

    expression: Strength = 1.0
    brows: Strength = 1.0
    eyes: Strength = 1.0
    mouth: Strength = 1.0
    gaze: Strength = 1.0
    head: HeadMotion = "relative"
    head_strength: Strength = 1.0
    portrait_expression: PortraitExpression = "auto"
    smooth: Strength = 1.0
    crop: Switch = "auto"
    loop: Loop = "off"
    start: Seconds = 0.0
    length: Seconds = 0.0
    seed: Annotated[int, Field(ge=0)] = 0

    def alignment(self) -> AlignmentSettings:
        return AlignmentSettings(**self._of(AlignmentSettings))

    def clip(self, most: float) -> ClipSettings:
        """The part of a driving, of whose first `most` seconds it is. Raises ClipError where it is empty."""
        stop = min(self.start + self.length, most) if self.length > 0 else most
        return ClipSettings(
            start=moment_text(float(self.start)), stop=moment_text(float(stop)), smooth=self.smooth
        )

    def animation(self) -> AnimationSettings:
        return AnimationSettings(**self._of(AnimationSettings))

    def _of(self, kind: Any) -> dict[str, Any]:
        names = {field.name for field in fields(kind)}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in names}
