"""What an animation's result says of how it was made, and what it says of nobody."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.face.settings import AlignmentSettings
from followyouremoji.media.metadata import read_metadata
from followyouremoji.requests.animation import animate
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.marking import VARIABLES, Marks
from followyouremoji.requests.request import FaceChoice, ModelChoice, Output

pytest.importorskip("skia", reason="drawn portraits need skia")
from tests.requests.test_animation import asked


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_record_tells_what_made_the_frames_and_no_names(model: Path, tmp_path: Path) -> None:
    portrait = Path(shutil.copyfile(portrait_path("bundled:ada"), tmp_path / "private name.png"))
    request = replace(
        asked(model, tmp_path / "a.png"),
        portrait=str(portrait),
        alignment=AlignmentSettings(mouth=1.3),
        model=ModelChoice(weights=str(model), device="cpu", dtype="fp32"),
        faces=(FaceChoice(face=1),),
        clip=replace(asked(model, tmp_path).clip, stop="1"),
    )
    animate(request)
    record = read_metadata(tmp_path / "a.png").record
    assert record is not None
    assert record.portrait == sha256(portrait)
    assert record.weights == sha256(model / "config.json")
    assert len(record.driving) == 1
    assert record.settings == {"stop": "1", "mouth": 1.3, "steps": 2, "dtype": "fp32", "faces": "1"}
    assert record.seed == 0
    assert "torch" in record.libraries
    content = (tmp_path / "a.png").read_bytes()
    assert b"private" not in content
    assert str(tmp_path).encode() not in content


def test_the_environment_signs_what_can_be_signed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a request's own certificate must be of use."""
    pytest.importorskip("c2pa", reason="manifests need c2pa-python")
    from followyouremoji.provenance.signing import read_manifest
    from tests.provenance.certificates import write_certificate

    chain, key = write_certificate(tmp_path)
    monkeypatch.setenv("FYE_CERTIFICATE", str(chain))
    monkeypatch.setenv("FYE_PRIVATE_KEY", str(key))
    assert Marks.of(Output(), ".webm").signer is None
    with pytest.raises(SettingsError, match="cannot carry a signature") as error:
        Marks.of(Output(certificate=chain, private_key=key), ".webm")
    assert error.value.settings == ("certificate", "path")

    animate(asked(model, tmp_path / "a.mp4"))
    manifest = read_manifest(tmp_path / "a.mp4", "video/mp4")
    assert manifest is not None
    assert manifest.validity == "untrusted"
    assert manifest.record == read_metadata(tmp_path / "a.mp4").record


def test_half_of_what_signing_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give both"):
        Marks.of(Output(certificate=tmp_path / "a.pem"), ".mp4")
    with pytest.raises(SettingsError, match="a timestamp is of a signature"):
        Marks.of(Output(timestamp_authority="https://time.example"), ".mp4")
