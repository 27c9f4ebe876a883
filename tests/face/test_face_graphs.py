"""What finds faces where mediapipe has its own mesh, where it has the Tasks API alone, and where it is missing."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest

from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.face_graphs import MESH_BUNDLE, MeshGraph, TaskGraph, has_mesh

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("mediapipe")

from tests.face.test_detection import drawn

SHARED = Path(__file__).parents[2].parent / "shared"
needs_media = pytest.mark.skipif(
    not (SHARED / "media").is_dir(), reason="real pictures and clips are not beside this checkout"
)


@pytest.fixture
def without_mesh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a mediapipe from 0.10.30 on, which has no `solutions`."""
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    monkeypatch.delitem(sys.modules, "mediapipe.python.solutions.face_mesh", raising=False)
    has_mesh.cache_clear()
    yield
    has_mesh.cache_clear()


@pytest.fixture
def mesh() -> Iterator[FaceDetector]:
    if not has_mesh():
        pytest.skip("this mediapipe has no mesh")
    with FaceDetector() as detector:
        yield detector


def picture_of(name: str) -> np.ndarray:
    return cv2.imread(str(SHARED / "media" / "portraits" / f"{name}.jpg"))[..., ::-1]


def apart(found: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of points (..., 478, 2) in percent of the pupil distance."""
    pupils = np.linalg.norm(other[..., 468, :] - other[..., 473, :], axis=-1)
    return float(100 * (np.linalg.norm(found - other, axis=-1).mean(-1) / pupils).mean())


def test_without_mediapipe_it_is_said_what_to_install() -> None:
    code = (
        "import sys, numpy as np; sys.modules['mediapipe'] = None\n"
        "from followyouremoji.errors import WeightsError\n"
        "from followyouremoji.face.detection import FaceDetector\n"
        "try: FaceDetector().detect(np.zeros((64, 64, 3), np.uint8))\n"
        "except WeightsError as error: sys.exit('pip install mediapipe' not in str(error))\n"
        "sys.exit(2)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_the_mesh_graph_faces_are_found_as_well(without_mesh: None) -> None:
    """A picture, a clip, a face far away in both; and no scores, which nobody asked for."""
    near, points = drawn(3, 256)
    small, small_points = drawn(3, 128)
    far = np.full((720, 1280, 3), 128, np.uint8)
    far[400:528, 600:728] = small
    far_points = np.add(small_points, (600, 400))
    with FaceDetector() as detector:
        found = detector.detect(near)
        assert found.blendshapes is None
        assert apart(found.points, points) < 8
        assert apart(detector.detect(far).points, far_points) < 15
        for face in detector.track([far, np.roll(far, 3, axis=1)]):
            assert face is not None
            assert apart(face.points, far_points) < 20


def test_both_graphs_give_the_mesh_s_landmarks(mesh: FaceDetector) -> None:
    pictures = [np.roll(drawn(3, 256)[0], shift, axis=1) for shift in range(0, 16, 2)]
    graph, task = MeshGraph(False, 1), TaskGraph(MESH_BUNDLE, False, 1, scores=False)
    followed = MeshGraph(True, 1), TaskGraph(MESH_BUNDLE, True, 1, scores=False)
    for picture in pictures:
        (one,), (other,) = graph.faces(picture), task.faces(picture)
        assert apart(other.normalised, one.normalised) < 0.1
        (one,), (other,) = (each.faces(picture) for each in followed)
        assert apart(other.normalised, one.normalised) < 1


@needs_media
def test_both_graphs_agree_on_real_portraits_and_a_fast_clip(mesh: FaceDetector) -> None:
    graph, task = MeshGraph(False, 1), TaskGraph(MESH_BUNDLE, False, 1, scores=False)
    for name in ("s0", "s3", "s5", "s7", "s8", "s9", "s10", "s25"):
        (one,), (other,) = (each.faces(picture_of(name)) for each in (graph, task))
        assert apart(other.normalised, one.normalised) < 0.2
    graph, task = MeshGraph(True, 1), TaskGraph(MESH_BUNDLE, True, 1, scores=False)
    clip = cv2.VideoCapture(str(SHARED / "media" / "driving" / "d12.mp4"))
    for _ in range(60):
        frame = np.ascontiguousarray(clip.read()[1][..., ::-1])
        (one,), (other,) = graph.faces(frame), task.faces(frame)
        assert apart(other.normalised, one.normalised) < 1


def test_the_mesh_is_there_where_the_wheel_brings_it() -> None:
    assert has_mesh() == (find_spec("mediapipe.python") is not None)
