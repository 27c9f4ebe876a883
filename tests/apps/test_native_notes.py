"""Standard error without MediaPipe's start-up notes."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def errors_of(code: str) -> str:
    """What a process writes to its standard error."""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert ended.stdout == ""
    return ended.stderr


def test_only_the_notes_are_dropped() -> None:
    code = (
        "import os, subprocess, sys\n"
        "from followyouremoji.apps.native_notes import without_native_notes\n"
        "with without_native_notes():\n"
        "    os.write(2, b'I0000 00:00:17.1 7 gl.cc:85] note\\nINFO: Created TensorFlow Lite XNNPACK delegate.\\nnative\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'import os; os.write(2, b\"W0000 note\\\\nchild\\\\n\")'])\n"
        "    print('W0000 ours', file=sys.stderr)\n"
        "os.write(2, b'I0000 after\\n')\n"
        "print('ours again', file=sys.stderr)\n"
    )
    lines = errors_of(code).splitlines()
    assert sorted(lines) == sorted(["native", "child", "W0000 ours", "I0000 after", "ours again"])
    assert lines[-2:] == ["I0000 after", "ours again"]


def test_mediapipe_keeps_quiet() -> None:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    pytest.importorskip("mediapipe")
    code = (
        "import sys\n"
        "from tests.face.test_detection import drawn\n"
        "from followyouremoji.apps.native_notes import without_native_notes\n"
        "from followyouremoji.face.detection import FaceDetector\n"
        "picture, _ = drawn(3, 256)\n"
        "with without_native_notes(), FaceDetector() as detector:\n"
        "    detector.detect(picture); list(detector.track([picture, picture * 0, picture]))\n"
    )
    assert errors_of(code) == ""
