"""How a portrait is animated: what a user can set, checked. Needs neither NumPy nor torch."""

from pathlib import Path
from typing import Literal

from followyouremoji.config import validated
from followyouremoji.face.settings import Loop
from followyouremoji.options import option

Switch = bool | Literal["auto"]
Speed = Literal["exact", "lossless", "fast", "fastest", "paper"]
LongClips = Literal["auto", "keyframes", "windows", "tiles", "chain"]


@validated
class AnimationSettings:
    """How a portrait is animated. None means: as the model's config says.

    Raises SettingsError for a value that cannot be used.
    """

    frame_rate: float | None = option(
        None,
        "Frames a second of the result.",
        panel="Result",
        otherwise="the driving's own; of a high-speed clip a whole fraction of it, at most 60",
        gt=0.0,
        le=1000.0,
    )
    loop: Loop = option(
        "off",
        "Make a result that repeats without a jump: `blend` leads the last half second back into the first pose, `pingpong` plays "
        "forwards and then backwards, without sound.",
        panel="Result",
    )
    size: int | None = option(
        None, "Side of the generated square, pixels.", panel="Model", otherwise="the model's", ge=1
    )
    steps: int | None = option(
        None,
        "Denoising steps: fewer are quicker; the model's own number is what it is best at.",
        panel="Model",
        otherwise="the model's",
        ge=1,
        le=1000,
    )
    speed: Speed = option(
        "lossless",
        "How much is forecast instead of computed: `exact` nothing, `lossless` what makes no visible difference, `fast` and `fastest` "
        "more; `paper` is our reading of the paper's own cache. Where there are many steps, passes of the network are forecast; of "
        "the bundled model, frames in which the face moves evenly are filled in between others.",
        panel="Model",
    )
    guidance_scale: float | None = option(
        None,
        "How strictly the result follows portrait and motion; 1 is quickest, and more is for models that learnt it.",
        panel="Model",
        otherwise="the model's",
        ge=1.0,
    )
    seed: int = option(
        0,
        "Number that the random noise is made of: the same seed gives the same result.",
        panel="Model",
        ge=0,
    )
    driving_face: int | None = option(
        None,
        "Which face of the driving clip, 1 is the furthest to the left.",
        panel="Motion",
        otherwise="the largest",
        ge=1,
    )
    crop: Switch = option(
        "auto",
        "Animate a square around the face, or the middle of the whole picture.",
        panel="Framing",
        otherwise="what suits model and picture",
    )
    paste_back: Switch = option(
        "auto",
        "Put the animated square back into the picture, or give the square alone.",
        panel="Framing",
        otherwise="paste what was cropped",
    )
    window: int | None = option(
        None,
        "Frames generated at once; fewer need less memory.",
        panel="Advanced",
        otherwise="the model's",
        ge=3,
    )
    long_clips: LongClips = option(
        "auto",
        "How clips longer than a window are made: `keyframes` first and then what lies between, overlapping `windows` (the "
        "released code's usual way), `tiles` with Gaussian weights (its other one), or a `chain` of windows, each going on from "
        "the last frame of the one before.",
        panel="Advanced",
        otherwise="keyframes where the model can, else windows",
    )
    batch: int | None = option(
        None,
        "Parts of a long clip made at once; fewer need less memory.",
        panel="Advanced",
        otherwise="what suits the device",
        ge=1,
    )
    shared_noise: float | None = option(
        None,
        "Part of the noise that all frames share, 0 to 1: with more of it the result flickers less.",
        panel="Advanced",
        otherwise="the model's",
        ge=0.0,
        le=1.0,
    )
    detector_bundle: Path | None = option(
        None,
        "The file face_landmarker.task of Google: the relaxed frame is then chosen by its 52 expression scores, as in the released code. "
        "Slower.",
        panel="Advanced",
        otherwise="without scores",
        strict=False,
    )
