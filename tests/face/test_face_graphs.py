"""What finds faces where mediapipe has its own mesh, where it has the Tasks API alone, and where it is missing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from followyouremoji.errors import WeightsError
from followyouremoji.face.detection import FaceDetector
from followyouremoji.face.face_graphs import has_mesh

pytest.importorskip("skia", reason="drawn portraits need skia")
pytest.importorskip("mediapipe")

from tests.face.test_detection import drawn

SHARED = Path(__file__).parents[2].parent / "shared"
BUNDLE = SHARED / "models" / "face_landmarker_v2_with_blendshapes.task"
needs_bundle = pytest.mark.skipif(not BUNDLE.is_file(), reason="the task bundle is not beside this checkout")


@pytest.fixture
def without_mesh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of fetched models, for a mediapipe as from 0.10.30 on, which has no `solutions`."""
    monkeypatch.setitem(sys.modules, "mediapipe.python.solutions", None)
    monkeypatch.delitem(sys.modules, "mediapipe.python.solutions.face_mesh", raising=False)
    monkeypatch.setenv("FYE_HOME", str(tmp_path))
    has_mesh.cache_clear()
    yield tmp_path
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


def test_without_models_it_is_said_what_to_fetch(without_mesh: Path) -> None:
    with FaceDetector() as detector, pytest.raises(WeightsError, match="weights download --face-landmarker"):
        detector.detect(np.zeros((64, 64, 3), np.uint8))


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


@needs_bundle
def test_the_fetched_bundle_does_what_the_mesh_does(without_mesh: Path) -> None:
    """A picture, a clip, a face far away in both; and no scores, which nobody asked for."""
    (without_mesh / "face_landmarker.task").symlink_to(BUNDLE)
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


@needs_bundle
def test_mesh_and_bundle_agree_on_real_portraits(mesh: FaceDetector) -> None:
    """Two networks, 1.2 to 2.0 % of the pupil distance apart on these paintings and the cartoon."""
    with FaceDetector(BUNDLE) as task:
        for name in ("s0", "s3", "s5", "s7", "s8"):
            picture = picture_of(name)
            assert apart(task.detect(picture).points, mesh.detect(picture).points) < 2.5


@needs_bundle
def test_mesh_and_bundle_agree_on_a_fast_clip(mesh: FaceDetector) -> None:
    """2.6 % apart; 4.3 % where the task graph smooths over time, and so lags behind a head that turns quickly."""
    clip = cv2.VideoCapture(str(SHARED / "media" / "driving" / "d12.mp4"))
    frames = [np.ascontiguousarray(clip.read()[1][..., ::-1]) for _ in range(60)]
    with FaceDetector(BUNDLE) as task:
        found, other = ([face.points for face in one.track(frames) if face] for one in (task, mesh))
    assert len(found) == len(other) == 60
    assert apart(np.stack(found), np.stack(other)) < 3.2
