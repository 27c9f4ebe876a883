"""`fye inspect`: several files, for people and for programs."""

import json
from pathlib import Path

from followyouremoji.media.pictures import write_picture
from followyouremoji.provenance.record import new_record
from tests.apps.conftest import Run
from tests.media.test_metadata import frames


def test_several_files_one_of_which_is_not_there(fye: Run) -> None:
    record = new_record(model="small", weights="ab" * 32)
    write_picture(Path("-a b\n.png"), frames()[0], comment=record.comment())
    ended = fye("inspect", "none.png", "--", "-a b\n.png")
    assert ended.code == 2
    assert "there is no file none.png" in ended.err
    assert "with the model small" in ended.out

    ended = fye("inspect", "--json", "none.png", "--", "-a b\n.png")
    missing, found = json.loads(ended.out)
    assert missing == {"file": "none.png", "error": "there is no file none.png"}
    assert found["record"]["model"] == "small"
    assert found["manifest"] is None


def test_authorities_that_are_none(fye: Run) -> None:
    Path("none.pem").write_text("not a certificate")
    ended = fye("inspect", "a.png", "--trust", "none.pem")
    assert (ended.code, ended.out) == (2, "")
    assert "none.pem is no PEM file" in ended.err
