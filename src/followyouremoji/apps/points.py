"""`fye points`: a file of points on a face, to be changed by hand, and a look at what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.requests.request import Output
from followyouremoji.settings import AnimationSettings

READABLE = 1000  # pixels; smaller pictures are enlarged to about that, for the names on them

EPILOG = examples(
    "fye points llama.jpg llama.json  # writes the file; now move the points",
    "fye points llama.jpg llama.json --show look.png  # checks and shows them",
    "fye animate llama.jpg bundled:hello --points llama.json",
)


@choices.expanded
def points(
    portrait: Annotated[
        str, typer.Argument(metavar="PORTRAIT", help="The picture, or [bold]bundled:NAME[/].")
    ],
    file: Annotated[Path, typer.Argument(metavar="POINTS", help="The file of points, .json.")],
    *,
    settings: Annotated[AnimationSettings, ("detector_bundle",)],
    output: Annotated[Output, ("overwrite",)],
    face: Annotated[
        int | None,
        typer.Option(
            help="Which face of the portrait, 1 is the furthest to the left.",
            min=1,
            show_default="the largest",
        ),
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="Picture to draw, .png, .jpg or .webp: the portrait with points, their names and a wire frame.",
            show_default="none",
        ),
    ] = None,
) -> None:
    """Place points on a face that is not found, or is found wrongly.

    Writes points of the face in PORTRAIT to the file POINTS, or checks the file if it exists; fye animate --points
    takes it. Where no face is found, they are those of an ordinary face in the middle of the picture. Move them to
    their places with an editor, leave out what is hidden, and look at them with --show. What each name means:
    docs/formats/points_file.md.
    """
    from followyouremoji.apps.output import note, say
    from followyouremoji.errors import PictureError, PointsError
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.face.fitting import fit_face
    from followyouremoji.face.overlay import draw_named_points, draw_wire_frame
    from followyouremoji.face.placed_points import ENDING, PlacedPoints
    from followyouremoji.media.pictures import (
        PICTURE_ENDINGS,
        on_background,
        read_layers,
        resize_picture,
        write_picture,
    )
    from followyouremoji.requests.bundled import portrait_landmarks, portrait_path
    from followyouremoji.requests.placing import starting_points
    from followyouremoji.requests.result import check_output

    path = portrait_path(portrait)
    layers = read_layers(path)
    size = layers.shape[1], layers.shape[0]
    if show is not None:
        check_output(show, PICTURE_ENDINGS, output.overwrite, PictureError, "the look")
    if file.exists():
        placed = PlacedPoints.read(file).scaled_to(size, file)
    else:
        check_output(file, (ENDING,), False, PointsError, "the points")
        with FaceDetector(settings.detector_bundle) as detector:
            placed, found = starting_points(detector, layers, str(path), face, portrait_landmarks(path))
        placed.save(file)
        say(
            f"{file}: {len(placed.points)} points {'of the face' if found else 'in the middle of the picture'}."
        )
        if not found:
            note("No face was found: move the points to their places.")
    fitted = fit_face(placed.points, size)
    if fitted.doubted:
        note(f"These do not fit all others and are left out: {', '.join(fitted.doubted)}.")
    furthest = max(placed.points, key=lambda name: fitted.residuals[name] * (name not in fitted.doubted))
    say(
        f"The landmarks pass all other points within {fitted.residuals[furthest]:.1%} of the eye distance ({furthest})."
    )
    if show is not None:
        times = max(1, round(READABLE / max(size)))
        picture = resize_picture(on_background(layers), (times * size[0], times * size[1]))
        picture = draw_wire_frame(picture, times * fitted.landmarks.points)
        places = {name: (times * x, times * y) for name, (x, y) in placed.points.items()}
        write_picture(show, draw_named_points(picture, places, fitted.doubted), output.overwrite)
        say(f"{show}: what the points make.")
