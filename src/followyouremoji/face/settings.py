"""What a user can set of how a motion is put onto a portrait. Needs no NumPy."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from followyouremoji.config import validated
from followyouremoji.errors import SettingsError
from followyouremoji.options import option

from .sliders import Pose

HeadMotion = Literal["relative", "absolute", "none", "image"]
PortraitExpression = Literal["keep", "replace", "auto"]
ConjugateGaze = Literal["auto", "on", "off"]
Loop = Literal["off", "blend", "pingpong"]
Strength = Annotated[float, Field(ge=0.0, le=5.0)]


@validated
class AlignmentSettings:
    """How a motion is put onto a portrait. Strengths are 1 for the driving's own; more exaggerates.

    `head` none keeps the portrait's pose as a head_strength of 0 does; see `alignment.align` for the others, `gaze` for
    conjugate_gaze, `neutral` for portrait_expression.

    Raises SettingsError for a value that cannot be used.
    """

    head: HeadMotion = option(
        "relative",
        "Head motion: `relative` to the portrait's own pose, `absolute` as in the driving, `none`, or `image`: landmarks "
        "as they are, not fitted to the portrait.",
        panel="Motion",
    )
    head_strength: Strength = option(1.0, "How far the head moves: 1 as in the driving.", panel="Motion")
    expression: Strength = option(
        1.0, "How strong the expression is: 1 as in the driving, 0 keeps the portrait's own.", panel="Motion"
    )
    brows: Strength = option(
        1.0, "How strongly the brows move, as a factor on the expression.", panel="Motion"
    )
    eyes: Strength = option(1.0, "How strongly the lids move, as a factor on the expression.", panel="Motion")
    mouth: Strength = option(
        1.0, "How strongly the mouth moves, as a factor on the expression.", panel="Motion"
    )
    gaze: Strength = option(
        1.0,
        "How far the eyes look around: 1 as in the driving, 0 keeps the portrait's own gaze.",
        panel="Motion",
    )
    neutral: int | None = option(
        None,
        "Number of the driving frame with a relaxed face, counted from where the used part begins; all others are measured "
        "from it.",
        panel="Motion",
        otherwise="found; in a clip of several shots, one for each",
        ge=0,
    )
    portrait_expression: PortraitExpression = option(
        "auto",
        "An expression that the portrait shows itself: `keep` it and add the driving one, `replace` it, or `auto`: replace an "
        "open mouth, closed eyes and other strong ones.",
        panel="Motion",
    )
    conjugate_gaze: ConjugateGaze = option(
        "auto",
        "Turn both eyes in one direction: `on`, `off` (each as it was tracked), or `auto`: where a clip's two pupils disagree more "
        "than eyes can. Crossed eyes stay crossed. Not with the head motions absolute and image.",
        panel="Motion",
    )
    pose: Pose | None = option(
        None,
        "An expression that is added to every frame, such as `smile=0.4,yaw=-10`: sliders and expressions of "
        "docs/guides/poses.md. Not with the head motions absolute and image.",
        panel="Motion",
        otherwise="none",
    )

    @model_validator(mode="after")
    def _is_aligned(self) -> Self:
        if self.pose and self.head in ("absolute", "image"):
            raise SettingsError(
                f"a pose cannot be added with the head motion {self.head}; choose relative or none",
                settings=("pose", "head"),
            )
        return self
