"""Nodes that move a portrait: alignment, expressions, animation."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from comfy_api.latest import io

from followyouremoji.animator import PortraitAnimator
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.face.expressions import EXPRESSIONS
from followyouremoji.face.motion import Motion
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.face.sliders import SLIDERS, STRONGEST
from followyouremoji.framing import ModelFraming
from followyouremoji.posing import PoseSession
from followyouremoji.preparation import prepare
from followyouremoji.requests.preview import overlaid
from followyouremoji.settings import AnimationSettings

from .host import in_words, on_device, to_images, watched
from .nodes_inputs import CATEGORY, ChosenFace, ModelType, MotionType, PortraitType
from .widgets import settings_of, widgets

PoseType = io.Custom("FOLLOWYOUREMOJI_POSE")
AlignedType = io.Custom("FOLLOWYOUREMOJI_ALIGNED")

NAMES = [name for name in EXPRESSIONS if name not in {slider.name for slider in SLIDERS}]
"""Expressions that a pose can name; a slider goes before an expression of the same name."""
NO_EXPRESSION = "none"

ALIGNMENT = (
    *("head", "head_strength", "expression", "brows", "eyes", "mouth", "gaze"),
    *("portrait_expression", "conjugate_gaze"),
)
ANIMATION = (
    *("seed", "steps", "speed", "guidance_scale", "frame_rate", "loop", "crop", "paste_back"),
    *("size", "window", "batch"),
)
"""Settings that are inputs of Align and of Animate."""


@dataclass(frozen=True)
class Aligned:
    """A motion, and how it is put onto a face."""

    chosen: ChosenFace
    motion: Motion
    alignment: AlignmentSettings


class Align(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_Align",
            display_name="Align and Preview (Follow Your Emoji)",
            category=CATEGORY,
            description="Puts a motion onto a portrait's face, and draws the landmarks that it will follow, before any network "
            "runs.",
            inputs=[
                PortraitType.Input("portrait"),
                MotionType.Input("motion"),
                PoseType.Input("pose", optional=True, tooltip="An expression that is added to every frame."),
                *widgets(AlignmentSettings, *ALIGNMENT),
                io.Int.Input(
                    "preview_frames",
                    default=9,
                    min=0,
                    max=10_000,
                    tooltip="Frames that the preview shows, evenly through the motion. 0: all.",
                ),
                io.Int.Input(
                    "preview_size", default=256, min=64, max=1024, tooltip="Pixels a side of the preview."
                ),
            ],
            outputs=[
                AlignedType.Output("aligned", display_name="aligned"),
                io.Image.Output("preview", display_name="preview"),
            ],
        )

    @classmethod
    @in_words
    def execute(
        cls,
        portrait: ChosenFace,
        motion: Motion,
        preview_frames: int,
        preview_size: int,
        pose: dict[str, float] | None = None,
        **given: Any,
    ) -> io.NodeOutput:
        alignment = settings_of(AlignmentSettings, given, pose=pose or None)
        aligned = Aligned(portrait, motion, alignment)
        return io.NodeOutput(aligned, to_images(landmark_frames(aligned, preview_frames, preview_size))[0])


class Expression(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_Expression",
            display_name="Expression (Follow Your Emoji)",
            category=CATEGORY,
            description="An expression made of a named one and of sliders: for Pose Portrait, or to add to a motion.",
            inputs=[
                io.Combo.Input("expression", options=[NO_EXPRESSION, *NAMES], default=NO_EXPRESSION),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=STRONGEST,
                    step=0.05,
                    tooltip="Of the named expression.",
                ),
                *(
                    io.Float.Input(
                        slider.name,
                        default=0.0,
                        min=slider.low,
                        max=slider.high,
                        step=0.5 if slider.group == "head" else 0.05,
                        tooltip=f"{slider.label}{', degrees' if slider.group == 'head' else ''}.",
                    )
                    for slider in SLIDERS
                ),
            ],
            outputs=[PoseType.Output("pose", display_name="pose")],
        )

    @classmethod
    @in_words
    def execute(cls, expression: str, strength: float, **sliders: float) -> io.NodeOutput:
        pose = {slider.name: float(sliders.get(slider.name, 0.0)) for slider in SLIDERS}
        if expression != NO_EXPRESSION:
            pose[expression] = float(strength)
        return io.NodeOutput({name: amount for name, amount in pose.items() if amount})


class PosePortrait(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_PosePortrait",
            display_name="Pose Portrait (Follow Your Emoji)",
            category=CATEGORY,
            description="One picture of a portrait with an expression.",
            inputs=[
                ModelType.Input("model"),
                PortraitType.Input("portrait"),
                PoseType.Input("pose"),
                *widgets(AnimationSettings, "seed", "steps"),
            ],
            outputs=[
                io.Image.Output("image", display_name="image"),
                io.Mask.Output("mask", display_name="mask"),
            ],
        )

    @classmethod
    @in_words
    def execute(
        cls, model: PortraitAnimator, portrait: ChosenFace, pose: dict[str, float], seed: int, steps: int
    ) -> io.NodeOutput:
        settings = settings_of(AnimationSettings, {"seed": seed, "steps": steps})
        alignment = AlignmentSettings(portrait_expression="keep", pose=pose or None)
        with on_device(model):
            session = PoseSession(
                model, portrait.portrait.layers, portrait_landmarks=portrait.landmarks, settings=settings
            )
            picture = session.picture(session.own, alignment)
        return io.NodeOutput(*to_images([picture]))


class Animate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_Animate",
            display_name="Animate (Follow Your Emoji)",
            category=CATEGORY,
            description="The portrait with the motion, frame by frame; of a transparent portrait with its mask.",
            inputs=[
                ModelType.Input("model"),
                AlignedType.Input("aligned"),
                *widgets(AnimationSettings, *ANIMATION),
            ],
            outputs=[
                io.Image.Output("images", display_name="images"),
                io.Mask.Output("masks", display_name="masks"),
                io.Float.Output("frames_a_second", display_name="frame_rate"),
            ],
        )

    @classmethod
    @in_words
    def execute(cls, model: PortraitAnimator, aligned: Aligned, **given: Any) -> io.NodeOutput:
        settings = settings_of(AnimationSettings, given)
        model.check(settings)
        motion = (
            aligned.motion if settings.frame_rate is None else aligned.motion.at_rate(settings.frame_rate)
        )
        prepared = model.prepare(
            aligned.chosen.portrait,
            motion,
            face=aligned.chosen.face,
            alignment=aligned.alignment,
            settings=settings,
        )
        with on_device(model), closing(model.frames(prepared, settings, progress=watched())) as frames:
            images, masks = to_images(list(frames))
        return io.NodeOutput(images, masks, float(prepared.motion.frame_rate))


def landmark_frames(aligned: Aligned, frames: int, size: int) -> list[np.ndarray]:
    """The landmarks over the dimmed portrait, uint8 (size, size, 3), in so many frames of the motion, 0 for all."""
    prepared = prepare(
        aligned.chosen.portrait,
        aligned.motion,
        ModelFraming(size, LandmarkStyle(antialiased=True), always_crop=True),
        face=aligned.chosen.face,
        alignment=aligned.alignment,
    )
    last = len(prepared) - 1
    shown = np.linspace(0, last, min(frames or len(prepared), len(prepared))).round().astype(int)
    return [overlaid(prepared.picture, prepared.landmark_picture(int(frame))) for frame in shown]
