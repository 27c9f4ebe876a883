"""Nodes for what an animation is made of: model, portrait, motion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import folder_paths
import numpy as np
from comfy_api.latest import io, ui
from torch import Tensor

from followyouremoji.face.detection import Landmarks
from followyouremoji.face.motion import MOTION_ENDING, MOTION_ENDINGS, Motion
from followyouremoji.face.tracking import track_motion
from followyouremoji.face_finder import FaceFinder
from followyouremoji.media.pictures import read_layers
from followyouremoji.media.ranges import ClipRange
from followyouremoji.requests.bundled import (
    PORTRAIT_ENDING,
    PREFIX,
    driving_source,
    example_names,
    motion_names,
    portrait_path,
)
from followyouremoji.settings import AnimationSettings
from followyouremoji.sources import Portrait, choose_faces, cut_motion, track_file

from .host import (
    MODELS,
    in_words,
    input_files,
    load_animator,
    model_folders,
    model_names,
    output_path,
    to_images,
    to_layers,
    watched,
)

CATEGORY = "Follow Your Emoji"
DRIVING_ENDINGS = (
    *MOTION_ENDINGS,
    *(".mp4", ".mov", ".webm", ".mkv", ".avi", ".gif"),
    *(".png", ".jpg", ".jpeg", ".webp"),
)

ModelType = io.Custom("FOLLOWYOUREMOJI_MODEL")
PortraitType = io.Custom("FOLLOWYOUREMOJI_PORTRAIT")
MotionType = io.Custom("FOLLOWYOUREMOJI_MOTION")

FACE = "Which face: 1 is the furthest to the left. 0: the largest."


@dataclass(frozen=True)
class ChosenFace:
    """A portrait whose faces are found, and which of them is meant: its number from the left, or None for the
    largest."""

    portrait: Portrait
    face: int | None

    @property
    def landmarks(self) -> Landmarks:
        """Of that face."""
        return self.portrait.faces[(self.face or self.portrait.largest) - 1]


class LoadModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_LoadModel",
            display_name="Load Model (Follow Your Emoji)",
            category=CATEGORY,
            description=f"Loads a model: the bundled one, or a checkpoint's folder in models/{MODELS}.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=model_names(),
                    default="bundled",
                    tooltip=f"Folders in models/{MODELS}, and models that the command fye downloaded, are listed too.",
                )
            ],
            outputs=[ModelType.Output("loaded", display_name="model")],
        )

    @classmethod
    def validate_inputs(cls, model: str) -> bool | str:
        if model in model_names():
            return True
        return (
            f"There is no model {model!r}. Put the folder of that checkpoint into ComfyUI's models/{MODELS}, or choose one of: "
            f"{', '.join(model_names())}."
        )

    @classmethod
    @in_words
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(load_animator(model_folders().get(model, model)))


class ExamplePortrait(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_ExamplePortrait",
            display_name="Example Portrait (Follow Your Emoji)",
            category=CATEGORY,
            description="A portrait that comes with the package, to try the nodes with.",
            inputs=[io.Combo.Input("name", options=example_names(PORTRAIT_ENDING), default="ada")],
            outputs=[
                io.Image.Output("image", display_name="image"),
                io.Mask.Output("mask", display_name="mask"),
            ],
        )

    @classmethod
    @in_words
    def execute(cls, name: str) -> io.NodeOutput:
        return io.NodeOutput(*to_images([read_layers(portrait_path(f"{PREFIX}{name}"))]))


class FindPortrait(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_Portrait",
            display_name="Portrait (Follow Your Emoji)",
            category=CATEGORY,
            description="Finds the face of a picture, and turns the picture upright by it.",
            inputs=[
                io.Image.Input("image", tooltip="One picture; of several the first."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="1 where the picture is transparent, as Load Image gives it.",
                ),
                io.Int.Input("face", default=0, min=0, max=100, tooltip=FACE),
            ],
            outputs=[PortraitType.Output("portrait", display_name="portrait")],
        )

    @classmethod
    @in_words
    def execute(cls, image: Tensor, face: int, mask: Tensor | None = None) -> io.NodeOutput:
        (layers,) = to_layers(image[:1], None if mask is None else mask[:1])
        chosen = face or None
        with FaceFinder() as faces:
            found = faces.portrait(layers, (chosen,))
        choose_faces(found, (chosen,), AnimationSettings())
        return io.NodeOutput(ChosenFace(found, chosen))


class MotionFromImages(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_MotionFromImages",
            display_name="Motion from Images (Follow Your Emoji)",
            category=CATEGORY,
            description="Follows a face through the frames of a clip, such as Get Video Components gives; one picture is one pose.",
            inputs=[
                io.Image.Input("images"),
                io.Float.Input(
                    "frame_rate", default=25.0, min=1.0, max=240.0, step=0.01, tooltip="Frames a second."
                ),
                io.Int.Input("face", default=0, min=0, max=100, tooltip=FACE),
                io.Float.Input(
                    "smooth", default=1.0, min=0.0, max=10.0, step=0.1, tooltip="Against jitter; 0 is none."
                ),
            ],
            outputs=[MotionType.Output("motion", display_name="motion")],
        )

    @classmethod
    @in_words
    def execute(cls, images: Tensor, frame_rate: float, face: int, smooth: float) -> io.NodeOutput:
        advance = watched()

        def clip() -> Iterator[tuple[float, np.ndarray]]:
            for number in range(len(images)):
                (picture,) = to_layers(images[number : number + 1])
                yield number / frame_rate, picture[..., :3]
                advance(number + 1, len(images))

        with FaceFinder() as faces, faces.detector() as detector:
            motion, _ = track_motion(clip(), frame_rate, detector, "the images", face or None, any_turn=True)
        return io.NodeOutput(motion.smoothed(smooth))


class LoadMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_LoadMotion",
            display_name="Load Motion (Follow Your Emoji)",
            category=CATEGORY,
            description="A motion from a file: a saved motion, a clip or a picture in ComfyUI's input folder, or a bundled one.",
            inputs=[
                io.Combo.Input("file", options=driving_files(), default=f"{PREFIX}hello"),
                io.Float.Input(
                    "start", default=0.0, min=0.0, max=86400.0, step=0.1, tooltip="Seconds into the file."
                ),
                io.Float.Input(
                    "duration", default=0.0, min=0.0, max=86400.0, step=0.1, tooltip="Seconds. 0: to the end."
                ),
                io.Int.Input("face", default=0, min=0, max=100, tooltip=FACE),
                io.Float.Input(
                    "smooth",
                    default=1.0,
                    min=0.0,
                    max=10.0,
                    step=0.1,
                    tooltip="Against jitter of clips; 0 is none. Saved motions are taken as they are.",
                ),
            ],
            outputs=[MotionType.Output("motion", display_name="motion")],
        )

    @classmethod
    def validate_inputs(cls, file: str) -> bool | str:
        if file in driving_files():
            return True
        return f"There is no {file!r} among the bundled motions and in ComfyUI's input folder. Put it there, or choose another one."

    @classmethod
    def fingerprint_inputs(cls, file: str, **others: object) -> object:
        source = motion_source(file)
        if isinstance(source, Motion):
            return file
        state = source.stat()
        return file, state.st_size, state.st_mtime_ns

    @classmethod
    @in_words
    def execute(cls, file: str, start: float, duration: float, face: int, smooth: float) -> io.NodeOutput:
        part = ClipRange(start=float(start), duration=float(duration) or None)
        source = motion_source(file)
        if isinstance(source, Path) and source.suffix.lower() in MOTION_ENDINGS:
            source = Motion.read(source)
        if isinstance(source, Motion):
            return io.NodeOutput(cut_motion(source, file, part))
        with FaceFinder() as faces, faces.detector() as detector:
            tracked = track_file(source, detector, face or None, smooth, part, advance=watched())
        return io.NodeOutput(tracked.motion)


class SaveMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_SaveMotion",
            display_name="Save Motion (Follow Your Emoji)",
            category=CATEGORY,
            description=f"Writes a motion into ComfyUI's output folder, as a {MOTION_ENDING} file that Load Motion and the command "
            "fye read: small, exact, and without a picture of anybody.",
            inputs=[
                MotionType.Input("motion"),
                io.String.Input("filename_prefix", default="motions/FollowYourEmoji"),
            ],
            outputs=[io.String.Output("file", display_name="file")],
            is_output_node=True,
        )

    @classmethod
    @in_words
    def execute(cls, motion: Motion, filename_prefix: str) -> io.NodeOutput:
        path, name = output_path(filename_prefix, MOTION_ENDING)
        motion.save(path)
        return io.NodeOutput(
            name, ui=ui.PreviewText(f"{name}: {len(motion)} frames, {motion.duration:.1f} s")
        )


def driving_files() -> list[str]:
    """What Load Motion lists: bundled motions, then files."""
    return [*(f"{PREFIX}{name}" for name in motion_names()), *input_files(DRIVING_ENDINGS)]


def motion_source(file: str) -> Path | Motion:
    """What an entry of `driving_files` means."""
    if file.startswith(PREFIX):
        return driving_source(file)
    return Path(folder_paths.get_annotated_filepath(file))
