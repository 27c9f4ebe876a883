"""Manifests are what the library's own reader calls valid, and no longer after one byte is changed."""

import json
from pathlib import Path

import numpy as np
import pytest

from followyouremoji.errors import SettingsError
from followyouremoji.media.clips import ClipReader
from followyouremoji.media.pictures import write_picture
from followyouremoji.media.writing import ClipWriter
from followyouremoji.provenance.record import DIGITAL_SOURCE_TYPE, new_record
from followyouremoji.provenance.signing import MIME, Signer, authorities_of, read_manifest

pytest.importorskip("c2pa", reason="manifests need c2pa-python")
import c2pa

from tests.media.test_metadata import frames
from tests.provenance.certificates import write_certificate

RECORD = new_record(model="small", weights="ab" * 32, portrait="cd" * 32)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("certificate"))


def write(path: Path, signer: Signer) -> None:
    def seal(file: Path) -> None:
        signer.sign(file, path.suffix, RECORD)

    if path.suffix in (".png", ".jpg", ".jpeg"):
        write_picture(path, frames()[0], comment=RECORD.comment(), seal=seal)
        return
    with ClipWriter(path, 10.0, (64, 64), comment=RECORD.comment(), seal=seal) as writer:
        for frame in frames():
            writer.write(frame)


@pytest.mark.parametrize("ending", MIME)
def test_a_manifest_holds_until_a_byte_is_changed(
    certificate: tuple[Path, Path], tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    write(path, Signer(*certificate))
    assert [one.name for one in tmp_path.iterdir()] == [path.name]

    with path.open("rb") as opened, c2pa.Reader(MIME[ending], opened) as reader:
        state, claim = reader.get_validation_state(), json.loads(reader.json())
    assert state == "Valid"
    (actions,) = (
        one["data"]["actions"]
        for one in claim["manifests"][claim["active_manifest"]]["assertions"]
        if one["label"].startswith("c2pa.actions")
    )
    assert [(one["action"], one["digitalSourceType"]) for one in actions] == [
        ("c2pa.created", DIGITAL_SOURCE_TYPE)
    ]

    found = read_manifest(path, MIME[ending])
    assert found is not None
    assert (found.validity, found.signer, found.record) == ("untrusted", "A test signer", RECORD)
    trusted = read_manifest(path, MIME[ending], authorities_of(certificate[0]))
    assert trusted is not None
    assert trusted.validity == "trusted"
    with ClipReader(path) as clip:
        pictures = [picture for _, picture in clip]
    assert len(pictures) == (1 if ending in (".png", ".jpg", ".jpeg") else 3)
    assert np.abs(pictures[0].astype(int) - frames()[0]).mean() < 20

    content = bytearray(path.read_bytes())
    place = content.index(b"not a recording")  # in the comment: the metadata are signed, too
    content[place] ^= 1
    path.write_bytes(content)
    changed = read_manifest(path, MIME[ending])
    assert changed is not None
    assert changed.validity == "invalid"
    assert any("mismatch" in problem for problem in changed.problems)


def test_a_file_without_a_manifest_has_none(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", frames()[0])
    assert read_manifest(tmp_path / "a.png", "image/png") is None


def test_a_damaged_file_cannot_tell(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write(path, Signer(*certificate))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="PNG"):
        read_manifest(path, "image/png")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("expired", "within its dates"),
        ("for servers", "issued for signing content"),
        ("another key", "certificate of that key"),
        ("no key", "unencrypted one in PEM"),
        ("no file", "No such file"),
        ("no text", "no PEM file"),
        ("no address", "https://"),
        ("no answer", "vouches for nothing"),
    ],
)
def test_what_cannot_sign_is_refused_before_any_work(tmp_path: Path, problem: str, words: str) -> None:
    (tmp_path / "other").mkdir()
    chain, key = write_certificate(
        tmp_path, days=-1 if problem == "expired" else 30, email=problem != "for servers"
    )
    authority = {"no address": "ftp://time", "no answer": "http://127.0.0.1:9"}.get(problem)
    match problem:
        case "another key":
            _, key = write_certificate(tmp_path / "other")
        case "no key":
            key = chain
        case "no file":
            key = tmp_path / "none.pem"
        case "no text":
            chain.write_bytes(bytes(100))
    with pytest.raises(SettingsError, match=words) as error:
        Signer(chain, key, authority)
    assert error.value.settings


def test_an_authority_that_fails_in_the_end_costs_the_time_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Signer, "_try", lambda *_: None)  # when it still answered
    signer = Signer(*write_certificate(tmp_path), "http://127.0.0.1:9")
    with pytest.warns(UserWarning, match="no time"):
        write(tmp_path / "a.png", signer)
    manifest = read_manifest(tmp_path / "a.png", "image/png")
    assert manifest is not None
    assert (manifest.validity, manifest.signed) == ("untrusted", None)
