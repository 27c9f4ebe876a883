"""How a portrait is animated: what a user can set, checked. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from followyouremoji.errors import SettingsError
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.face.timeline import Loop
from followyouremoji.sampling.presets import preset
from followyouremoji.sampling.settings import SamplingSettings, Strategy

Switch = bool | Literal["auto"]
LongClips = Literal["auto", Strategy]


@dataclass(frozen=True)
class AnimationSettings:
    """How a portrait is animated. None means: as the model's config says.

    Attributes
    ----------
    size : pixels a side of what the model generates; the model's own size is the one it is good at.
    steps : of DDIM.
    guidance_scale : 1 or more; 1 is one pass of the denoiser a step, more is two.
    speed : one of `sampling.presets.PRESETS`: "exact" computes every pass of the denoiser; "lossless", "fast" and
        "fastest" forecast ever more of them; "paper" is the papers' cache of layer features.
    seed : of the noise; the same seed gives the same frames.
    shared_noise : 0 to 1, the part of the noise that all frames have in common. More of it flickers less.
    window : frames generated at once; fewer need less memory.
    long_clips : how clips longer than a window are made: "keyframes" (first keyframes, then what lies between; paper
        layout only), "windows" (overlapping, averaged), "tiles" (overlapping, Gaussian weights), "chain" (window after
        window, each going on from the last frame of the one before; paper layout only); "auto" takes keyframes where
        the model can.
    batch : parts of a long clip made at once, 1 or more; None: as many as suit the device's memory.
    loop : how the end is joined to the beginning: "off", "blend" (the last half second is led back into the first pose;
        keyframes also generate it so that it joins) or "pingpong" (forwards and backwards).
    crop : animate a square around the face instead of the whole picture (of which, if it is not square, the middle is
        taken). "auto": always for a model trained on such squares, else where the face is small or the picture not
        square.
    paste_back : put the square back into the picture; "auto": where it was cropped.
    face : which face of the portrait, 1 is the furthest to the left; None the largest.
    driving_face : the same, of a driving clip or picture.
    frame_rate : frames a second that are generated, above 0 to 1000; None: as many as the driving has, or above 60 the
        largest whole fraction of that which is not.
    detector_bundle : Google's face-landmarker task file, for blendshape scores; None does without.
    landmark_style : of the landmark pictures; a model follows those drawn as in its training.

    Raises SettingsError for a value that cannot be used.
    """

    size: int | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    speed: str = "lossless"
    seed: int = 0
    shared_noise: float | None = None
    window: int | None = None
    long_clips: LongClips = "auto"
    batch: int | None = None
    loop: Loop = "off"
    crop: Switch = "auto"
    paste_back: Switch = "auto"
    face: int | None = None
    driving_face: int | None = None
    frame_rate: float | None = None
    detector_bundle: Path | None = None
    landmark_style: LandmarkStyle | None = None

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise SettingsError(f"The size must be a positive number of pixels, not {self.size}.")
        scale = self.guidance_scale
        if scale is not None and not (math.isfinite(scale) and scale >= 1.0):
            raise SettingsError(f"The guidance scale must be 1 or more, not {scale}.")
        if self.long_clips not in get_args(LongClips):
            raise SettingsError(
                f"Unknown way to make long clips {self.long_clips!r}: use {', '.join(get_args(LongClips))}."
            )
        if self.loop not in get_args(Loop):
            raise SettingsError(f"Unknown way to make a loop {self.loop!r}: use {', '.join(get_args(Loop))}.")
        for name in ("crop", "paste_back"):
            if getattr(self, name) not in (True, False, "auto"):
                raise SettingsError(f"{name} must be true, false or 'auto', not {getattr(self, name)!r}.")
        for face in (self.face, self.driving_face):
            if face is not None and face < 1:
                raise SettingsError(f"Faces are counted from 1, from left to right; there is no face {face}.")
        rate = self.frame_rate
        if rate is not None and not 0.0 < rate <= 1000.0:
            raise SettingsError(f"A frame rate of {rate} cannot be used: give frames a second, such as 25.")
        preset(self.speed)
        drawing = ("steps", "seed", "shared_noise", "window", "batch")
        given = {name: getattr(self, name) for name in drawing if getattr(self, name) is not None}
        SamplingSettings(**given)
