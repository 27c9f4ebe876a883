"""The command line as a user runs it, and files for it: a small model of random weights, a drawn driving clip."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.apps.main import main

Run = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def fye(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `fye` in an empty folder, with the cache folder in it too."""
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "home"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.checkpoints import save_model
    from tests.small_model import small_model

    return save_model(small_model(), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of a drawn person who begins to smile, 25 a second, with the sound of a tone."""
    pytest.importorskip("skia", reason="drawn portraits need skia")
    from followyouremoji.media.writing import ClipWriter
    from followyouremoji.portraits import Performance, draw_portrait, random_identity
    from tests.media.synthetic import write_clip

    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "tone.mp4", frames=5, audio_codec="aac", onsets=(0.0,))
    who = random_identity(np.random.default_rng(17), "person")
    path = folder / "smile.mp4"
    with ClipWriter(path, 25.0, (192, 192), sound_from=folder / "tone.mp4") as writer:
        for strength in np.linspace(0.0, 1.0, 5):
            writer.write(draw_portrait(who, Performance.of("smile", strength), 192).picture)
    return path
