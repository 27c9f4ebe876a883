"""`fye motion`: motion files out of clips, a preview of what a face will do, and what a motion file holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps import choices

if TYPE_CHECKING:
    import numpy as np

motion_app = typer.Typer(
    no_args_is_help=True,
    help="Motion files: a clip's face movements, kept for use again.",
    epilog="fye motion extract talk.mp4 talk.fyemotion  [dim]then: fye animate PORTRAIT talk.fyemotion[/]\n\n"
    "fye motion preview portrait.png talk.mp4 look.mp4\n\n"
    "fye motion info bundled:hello",
)
PREVIEW_COMMENT = "Landmarks drawn over a portrait by Follow Your Emoji."
DIMMED = 0.55  # of the portrait's brightness under the landmarks


@motion_app.command()
@choices.grouped
def extract(
    clip: Annotated[
        str, typer.Argument(metavar="CLIP", help="A clip, or a released motion template (.npy).")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The motion file; its name ends in .fyemotion.")],
    *,
    clip_range: choices.Part,
    frame_rate: choices.FrameRate,
    face: Annotated[
        int | None,
        typer.Option(
            help="Which face of the clip, 1 is the furthest to the left.", min=1, show_default="the largest"
        ),
    ] = None,
    smooth: choices.Smooth = choices.SMOOTH,
    bundle: choices.Bundle = None,
    overwrite: choices.Overwrite = False,
) -> None:
    """Follow the face in CLIP and keep its motion, which needs a few percent of the clip's size and no tracking."""
    from followyouremoji.apps.bundled import driving_path
    from followyouremoji.apps.driving import Driving, tracked
    from followyouremoji.apps.output import check_output, say
    from followyouremoji.errors import MotionError
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.face.motion import MOTION_ENDING

    driving = Driving(driving_path(clip), clip_range, frame_rate)
    check_output(out, (MOTION_ENDING,), overwrite, MotionError, "the motion")
    with FaceDetector(bundle) as detector:
        motion = tracked(driving, detector, face, smooth)
    motion.save(out, overwrite)
    say(f"{out}: {len(motion)} frames, {motion.duration:.1f} s, {out.stat().st_size / 1e3:.0f} kB.")


@motion_app.command()
@choices.grouped
def preview(
    portrait: choices.Portrait,
    driving: choices.DrivingFile,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The clip to write; a picture where the driving is one.")
    ],
    *,
    size: Annotated[int, typer.Option(help="Side of the clip, pixels.", min=64, max=2048)] = 512,
    clip_range: choices.Part,
    frame_rate: choices.FrameRate,
    driving_face: choices.DrivingFace = None,
    alignment: choices.Alignment,
    smooth: choices.Smooth = choices.SMOOTH,
    face: choices.Face = None,
    crop: choices.Cropping = None,
    bundle: choices.Bundle = None,
    overwrite: choices.Overwrite = False,
) -> None:
    """Draw the landmarks that a model would follow over the portrait. Quick: no model runs."""
    from followyouremoji.apps.bundled import driving_path, portrait_landmarks, portrait_path
    from followyouremoji.apps.driving import Driving, tracked
    from followyouremoji.apps.output import counted, note, progress_bar, say
    from followyouremoji.apps.result import Output
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.face.drawing import LandmarkStyle
    from followyouremoji.framing import ModelFraming
    from followyouremoji.media.pictures import PICTURE_ENDINGS, read_picture, write_picture
    from followyouremoji.media.writing import ClipWriter
    from followyouremoji.preparation import prepare
    from followyouremoji.settings import AnimationSettings
    from followyouremoji.sources import find_portrait

    settings = AnimationSettings(crop="auto" if crop is None else crop, face=face)
    portrait_file = portrait_path(portrait)
    picture = read_picture(portrait_file)
    source = Driving(driving_path(driving), clip_range, frame_rate)
    Output(out, overwrite=overwrite).check(out, source)
    with FaceDetector(bundle) as detector:
        found = find_portrait(
            detector, picture, settings, str(portrait_file), portrait_landmarks(portrait_file)
        )
        motion = tracked(source, detector, driving_face, smooth)
    prepared = prepare(
        found.layers,
        motion,
        ModelFraming(size, LandmarkStyle(antialiased=True), always_crop=True),
        alignment=alignment,
        settings=settings,
        portrait_landmarks=found.landmarks,
    )
    for sentence in (*found.notes, *prepared.notes):
        note(f"Note: {sentence}")
    frames = (overlaid(prepared.picture, prepared.landmark_picture(i)) for i in range(len(prepared)))
    if len(prepared) == 1 and out.suffix.lower() in PICTURE_ENDINGS:
        write_picture(out, next(frames), overwrite, comment=PREVIEW_COMMENT)
    else:
        with (
            progress_bar("Drawing") as advance,
            ClipWriter(
                out,
                motion.frame_rate,
                (size, size),
                sound_from=source.sound,
                sound_start=float(motion.timestamps[0]),
                overwrite=overwrite,
                comment=PREVIEW_COMMENT,
            ) as writer,
        ):
            for count, frame in enumerate(frames):
                writer.write(frame)
                advance(count + 1, len(prepared))
    say(f"{out}: the landmarks of {counted(len(motion))}.")


def overlaid(picture: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Landmark lines at full brightness over a dimmed picture; both uint8 (height, width, 3)."""
    import numpy as np

    strongest = lines.max(axis=2, keepdims=True).astype(np.float32)
    colour = lines * (255.0 / np.maximum(strongest, 1.0))
    cover = np.minimum(strongest / 100.0, 1.0)  # the darkest part's colour has 100 in its strongest channel
    return np.rint((1 - cover) * DIMMED * picture + cover * colour).astype(np.uint8)


@motion_app.command()
def info(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A motion file (.fyemotion, or a released .npy), or bundled:NAME."
        ),
    ],
) -> None:
    """What a motion file holds."""
    from followyouremoji.apps.bundled import driving_path
    from followyouremoji.apps.output import say
    from followyouremoji.errors import MotionError
    from followyouremoji.face.alignment import neutral_frame
    from followyouremoji.face.motion import MOTION_ENDINGS, Motion

    path = driving_path(file)
    if path.suffix.lower() not in MOTION_ENDINGS:
        raise MotionError(
            f"{path} is not a motion file ({' or '.join(MOTION_ENDINGS)}); make one with fye motion extract"
        )
    motion = Motion.read(path)
    missing = len(motion) - int(motion.found.sum())
    say(f"source       {motion.source}")
    say(f"frames       {len(motion)}, {motion.duration:.2f} s at {motion.frame_rate:g} frames a second")
    say(f"seen in      pictures of {motion.size[0]}x{motion.size[1]} pixels")
    say(f"face         {f'missing in {missing} frames, filled in' if missing else 'found in every frame'}")
    say(f"expressions  {'52 scores a frame' if motion.blendshapes is not None else 'no scores'}")
    say(f"most relaxed frame  {neutral_frame(motion)}")
