"""What the page's controls say, as the settings of an animation: checked here, where a browser's words come in."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from followyouremoji.config import validated
from followyouremoji.face.settings import AlignmentSettings, HeadMotion, Loop, PortraitExpression, Strength
from followyouremoji.requests.request import ClipSettings
from followyouremoji.settings import AnimationSettings, Switch


@validated
class Controls:
    """Of the tab Animate; as in `AlignmentSettings`, `ClipSettings` and `AnimationSettings`."""

    expression: Strength = 1.0
    brows: Strength = 1.0
    eyes: Strength = 1.0
    mouth: Strength = 1.0
    gaze: Strength = 1.0
    head: HeadMotion = "relative"
    head_strength: Strength = 1.0
    portrait_expression: PortraitExpression = "auto"
    smooth: float = 1.0
    crop: Switch = "auto"
    loop: Loop = "off"
    start: str = "0"
    duration: str | None = None
    seed: int = 0

    def alignment(self, **more: Any) -> AlignmentSettings:
        return AlignmentSettings(**self._of(AlignmentSettings), **more)

    def clip(self) -> ClipSettings:
        return ClipSettings(**self._of(ClipSettings))

    def animation(self, **more: Any) -> AnimationSettings:
        return AnimationSettings(**self._of(AnimationSettings), **more)

    def _of(self, kind: Any) -> dict[str, Any]:
        names = {field.name for field in fields(kind)}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in names}
