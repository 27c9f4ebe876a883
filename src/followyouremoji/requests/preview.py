"""A preview of an animation: the landmarks that a model would follow. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.drawing import LandmarkStyle
from followyouremoji.framing import ModelFraming
from followyouremoji.preparation import prepare_faces
from followyouremoji.requests.events import OnEvent, Outcome, Progress, Stage, ignore
from followyouremoji.requests.request import AnimationRequest
from followyouremoji.requests.work import Work

PREVIEW_COMMENT = "Landmarks drawn over a portrait by Follow Your Emoji."
DIMMED = 0.55  # of the portrait's brightness under the landmarks


def preview(request: AnimationRequest, size: int = 512, on_event: OnEvent = ignore) -> Outcome:
    """Draw the landmarks that a model would follow over the portrait: of one face in squares of `size` pixels a side,
    of several in the whole picture, whose longer side has as many. No model runs.

    Raises UserError for whatever cannot be used, and what `on_event` raises.
    """
    work = Work.open(request, on_event)
    work.destination.check()
    with FaceDetector(request.settings.detector_bundle) as detector:
        found = work.find_portrait(detector)
        face, smooth = request.settings.driving_face, request.clip.smooth
        motions = [driving.track(detector, face, smooth, work.tell) for driving in work.drivings.files]
    prepared = prepare_faces(
        found,
        work.drivings.motions(motions),
        ModelFraming(size, LandmarkStyle(antialiased=True), always_crop=True),
        alignment=request.alignment,
        settings=request.settings,
    )
    work.tell_notes(found, prepared)
    work.tell(Stage("drawing", "Drawing"))

    picture = prepared.picture(size)
    shown = (picture.shape[1], picture.shape[0])

    def drawn() -> Iterator[np.ndarray]:
        for frame in range(len(prepared)):
            yield overlaid(picture, prepared.landmark_picture(frame, size))
            work.tell(Progress(frame + 1, len(prepared)))

    def made(sound: bool) -> Outcome:
        return work.outcome(prepared, shown, sound)

    return work.write(drawn(), prepared, shown, made, PREVIEW_COMMENT)


def overlaid(picture: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Landmark lines at full brightness over a dimmed picture; both uint8 (height, width, 3)."""
    strongest = lines.max(axis=2, keepdims=True).astype(np.float32)
    colour = lines * (255.0 / np.maximum(strongest, 1.0))
    cover = np.minimum(strongest / 100.0, 1.0)  # the darkest part's colour has 100 in its strongest channel
    return np.rint((1 - cover) * DIMMED * picture + cover * colour).astype(np.uint8)
