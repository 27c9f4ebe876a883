"""MediaPipe's face graphs behind one interface: a picture in, the faces in it out.

The *mesh graph* comes with mediapipe up to 0.10.21: 478 landmarks, about 3 ms a frame when it follows a face, because
it runs its landmark network on the place of the previous face and no detector. The *task graph*, which every mediapipe
can run, takes a bundle of networks. With `MESH_BUNDLE` it runs those of the mesh graph and gives the same landmarks as
fast; with Google's face-landmarker bundle, another network, it also gives 52 blendshape scores and takes twice as long,
and its landmarks are 1 to 4 % of the pupil distance away on filmed faces and paintings of people
(docs/measurements/face_models.md).

mediapipe is imported when the first graph is made. Its C++ parts write start-up notes to file descriptor 2, which no
setting of theirs prevents: a process that minds has to filter them itself.
"""

from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.resources import files
from itertools import repeat
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np

from ..errors import WeightsError, first_line
from .topology import N_LANDMARKS

MESH_BUNDLE = Path(str(files("followyouremoji.face") / "data" / "face_mesh.task"))
"""The networks of mediapipe 0.10.21's mesh for the Tasks API: `benchmarks/mesh_bundle.py` makes it."""

IMPORTING = RLock()
"""Held while mediapipe or torch is imported. Before Python 3.12, C extensions that two threads load at once may get
each other's package, and mediapipe then misses parts of itself."""

_UNSMOOTHED = 1_000_000
"""Milliseconds between the frames that are given to a task graph. It smooths one face over time with a filter whose
delay counts in seconds; so far apart, every frame stands for itself, as in the mesh graph."""


@dataclass(frozen=True)
class GraphFace:
    """One face as a graph saw it: ``(478, 3)`` float64 normalised landmarks and, from a task bundle, ``(52,)``
    scores."""

    normalised: np.ndarray
    blendshapes: np.ndarray | None


class FaceGraph(Protocol):
    """What both graphs can do."""

    def faces(self, picture: np.ndarray) -> list[GraphFace]:
        """All faces in an RGB picture, in no particular order."""

    def close(self) -> None: ...


@cache
def has_mesh() -> bool:
    """Whether the installed mediapipe brings the face mesh; from 0.10.30 on it has the Tasks API alone.

    Raises WeightsError where there is no mediapipe that can be used.
    """
    with IMPORTING:
        return _imported_mesh()


def _imported_mesh() -> bool:
    try:
        import_module("mediapipe")
    except ImportError as error:
        raise WeightsError(
            f"Faces cannot be looked for, as MediaPipe cannot be used here: {first_line(error).rstrip('.')}. "
            "Install it (pip install mediapipe)."
        ) from error
    try:
        import_module("mediapipe.python.solutions.face_mesh")
    except ModuleNotFoundError:
        return False
    return True


def quickest_graph(tracking: bool, max_faces: int, confidence: float = 0.5) -> "FaceGraph":
    """A graph for the mesh's landmarks alone, with every mediapipe; parameters as in `MeshGraph`."""
    if has_mesh():
        return MeshGraph(tracking, max_faces, confidence)
    return TaskGraph(MESH_BUNDLE, tracking, max_faces, confidence, scores=False)


class MeshGraph:
    """The face mesh with refined eyes and lips from the mediapipe wheel.

    Parameters
    ----------
    tracking : follow faces from picture to picture (a clip), or look at every picture anew
    max_faces : most faces to return
    confidence : least detection score in [0, 1]
    """

    def __init__(self, tracking: bool, max_faces: int, confidence: float = 0.5) -> None:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh = FaceMesh(
            static_image_mode=not tracking,
            refine_landmarks=True,
            max_num_faces=max_faces,
            min_detection_confidence=confidence,
        )

    def faces(self, picture: np.ndarray) -> list[GraphFace]:
        found = self._mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks or []
        return [GraphFace(_coordinates(face.landmark), None) for face in found]

    def close(self) -> None:
        self._mesh.close()


class TaskGraph:
    """A face-landmarker task bundle; parameters as in `MeshGraph`.

    With `scores`, every face has 52 blendshape scores. Raises `WeightsError` if the file is not such a bundle.
    """

    def __init__(
        self, bundle: Path, tracking: bool, max_faces: int, confidence: float = 0.5, scores: bool = True
    ) -> None:
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions, vision

        mode = vision.RunningMode.VIDEO if tracking else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(bundle)),
            running_mode=mode,
            num_faces=max_faces,
            min_face_detection_confidence=confidence,
            output_face_blendshapes=scores,
        )
        try:
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise WeightsError(
                f"{bundle} is not a face-landmarker task bundle that MediaPipe can open: {first_line(error).rstrip('.')}. "
                "Get face_landmarker.task from Google's MediaPipe page again, or leave it out."
            ) from error
        self._to_image = partial(Image, image_format=ImageFormat.SRGB)
        self._tracking = tracking
        self._milliseconds = 0

    def faces(self, picture: np.ndarray) -> list[GraphFace]:
        found = self._process(np.ascontiguousarray(picture))
        scores = [
            np.array([score.score for score in scores], np.float32) for scores in found.face_blendshapes
        ]
        return [
            GraphFace(_coordinates(face), own)
            for face, own in zip(found.face_landmarks, scores or repeat(None), strict=False)
        ]

    def _process(self, picture: np.ndarray) -> Any:
        image = self._to_image(data=picture)
        if not self._tracking:
            return self._landmarker.detect(image)
        self._milliseconds += _UNSMOOTHED
        return self._landmarker.detect_for_video(image, self._milliseconds)

    def close(self) -> None:
        self._landmarker.close()


class FullRangeDetector:
    """MediaPipe's detector for faces far from the camera: boxes only, where the mesh graph's own detector sees
    nothing. It comes with the mesh."""

    def __init__(self, confidence: float) -> None:
        from mediapipe.python.solutions.face_detection import FaceDetection

        self._detection = FaceDetection(model_selection=1, min_detection_confidence=confidence)

    def boxes(self, picture: np.ndarray) -> list[tuple[float, float, float]]:
        """Centre x, centre y and longer side in pixels of every face box."""
        found = self._detection.process(np.ascontiguousarray(picture)).detections or []
        height, width = picture.shape[:2]
        boxes = [detection.location_data.relative_bounding_box for detection in found]
        return [
            (
                (box.xmin + box.width / 2) * width,
                (box.ymin + box.height / 2) * height,
                max(box.width * width, box.height * height),
            )
            for box in boxes
        ]

    def close(self) -> None:
        self._detection.close()


def _coordinates(landmarks: Any) -> np.ndarray:
    coordinates = np.array([(point.x, point.y, point.z) for point in landmarks], np.float64)
    if coordinates.shape != (N_LANDMARKS, 3):
        raise WeightsError(
            f"The face landmark model gives {len(coordinates)} points; the refined {N_LANDMARKS}-point model is needed."
        )
    return coordinates
