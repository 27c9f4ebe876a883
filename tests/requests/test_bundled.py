"""The bundled examples are small, and what their README says made them makes them."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import MotionError
from followyouremoji.media.pictures import read_picture
from followyouremoji.requests.bundled import (
    EXAMPLES,
    PREFIX,
    bundled_motion,
    driving_source,
    example_names,
    motion_names,
    portrait_landmarks,
    portrait_path,
)

pytest.importorskip("skia", reason="drawn portraits need skia")


@pytest.fixture(scope="module")
def readme() -> dict:
    """The names that the README's program defines; what it writes at its end is left out."""
    program = re.search(r"```python\n(.*?)```", (EXAMPLES / "README.md").read_text(), re.DOTALL)
    assert program is not None
    definitions, _, _ = program[1].partition("for name, (style, seed) in PORTRAITS")
    names: dict = {}
    exec(definitions, names)
    return names


def test_expressions_are_bundled_motions_without_files() -> None:
    names = motion_names()
    assert names[:3] == ["hello", "talk", "smile"]
    assert len(set(names)) == len(names) == 20
    for name in names:
        assert bundled_motion(name).frame_rate == 25.0
    assert driving_source(f"{PREFIX}hello") == EXAMPLES / "hello.fyemotion"
    assert driving_source("smile") == Path("smile")
    with pytest.raises(MotionError, match=r"bundled:hello, bundled:talk, bundled:smile.*bundled:mouth_left"):
        driving_source("bundled:dance")


def test_names_and_sizes() -> None:
    assert example_names(".png") == ["ada", "emoji", "fox", "max", "stone"]
    assert example_names(".fyemotion") == ["hello", "talk"]
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 1_500_000


@pytest.mark.parametrize("name", ["ada", "fox"])
def test_portraits_are_drawn_as_the_readme_says(readme: dict, name: str) -> None:
    """Another skia may differ in single pixels."""
    from followyouremoji.portraits import Look, Performance, draw_portrait, random_identity

    style, seed = readme["PORTRAITS"][name]
    identity = replace(random_identity(np.random.default_rng(seed), style), look=Look())
    drawn = draw_portrait(identity, Performance.neutral(), 512).picture.astype(int)
    assert np.abs(drawn - read_picture(portrait_path(f"bundled:{name}"))).mean() < 0.5


def test_hello_is_as_the_readme_says(readme: dict) -> None:
    """Neutral at both ends, and three frames between them made again."""
    hello = bundled_motion("hello")
    assert (len(hello), hello.frame_rate) == (100, 25.0)
    np.testing.assert_allclose(hello.landmarks[0], hello.landmarks[-1], atol=1e-4)
    some = [22, 47, 65]
    performances = readme["showreel"]()
    again = readme["as_motion"]([performances[frame] for frame in some], "again")
    np.testing.assert_allclose(again.landmarks, hello.landmarks[some], atol=1e-4)


def test_talk_is_as_the_readme_says(readme: dict) -> None:
    from followyouremoji.portraits import speech

    talk = bundled_motion("talk")
    performances = speech(np.random.default_rng(readme["TALK_SEED"]), readme["FRAMES"], readme["RATE"])
    again = readme["as_motion"](performances[::40], "again")
    np.testing.assert_allclose(again.landmarks, talk.landmarks[::40], atol=1e-4)


def test_portraits_carry_the_landmarks_that_are_found_in_them() -> None:
    """By the face mesh to the last digit; another network differs by some percent of the pupil distance."""
    from followyouremoji.face.detection import FaceDetector
    from followyouremoji.face.face_graphs import has_mesh

    pytest.importorskip("mediapipe", reason="faces are found by mediapipe")
    with FaceDetector() as detector:
        for name in example_names(".png"):
            path = portrait_path(f"bundled:{name}")
            carried, found = portrait_landmarks(path), detector.detect(read_picture(path)).normalised
            assert carried is not None
            apart = np.linalg.norm(carried - found, axis=1)[:, None] / np.linalg.norm(found[468] - found[473])
            assert apart.mean() < (1e-4 if has_mesh() else 0.08)  # 2.6 to 6.3 % by MediaPipe 1.2.3


def test_examples_run_without_mediapipe(tmp_path: Path) -> None:
    arguments = ["motion", "preview", "bundled:ada", "bundled:hello", "out.apng", "--duration", "3"]
    code = f"import sys; sys.modules['mediapipe'] = None\nfrom followyouremoji.apps.main import main\nmain({arguments})"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "out.apng").is_file()
