"""Files that others wrote, read with bounds."""

import os
from pathlib import Path

import pytest

from followyouremoji.reading import DEEPEST, inside, json_object, read_bytes, read_json


def nested(depth: int) -> str:
    """An object with so many lists and objects within each other, itself among them."""
    return '{"a": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1"),
        (b"\xff\xfe{", "utf-16|decode|codec"),
        ("[1, 2]", "no JSON object"),
        (nested(DEEPEST + 1), "nest deeper"),
        (nested(100_000), "nest deeper"),
        ('{"a": NaN}', "not finite"),
        ('{"a": -Infinity}', "not finite"),
        ('{"a": 1e999}', "not finite"),
        (f'{{"a": {"9" * 5000}}}', "too large"),
    ],
)
def test_what_is_no_plain_json_object_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        json_object(text)
    assert len(str(refused.value)) < 200


def test_a_plain_json_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"a": [1, -2.5, 18446744073709551615, null, "\\udcff"], "b": {}}')
    assert read_json(tmp_path / "a.json") == {"a": [1, -2.5, 2**64 - 1, None, "\udcff"], "b": {}}
    assert json_object(nested(DEEPEST)).keys() == {"a"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names on this system")
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="no regular file"):
            read_bytes(tmp_path / name, 10)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_bytes(tmp_path / "a", 10) == b"0123456789"
    with pytest.raises(ValueError, match="longer"):
        read_bytes(tmp_path / "a", 9)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a", "a/../../b", "C:\\a", "a\\..\\b", "", ".", "out/a", "loop", "a\0b"]
)
def test_no_name_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(ValueError, match="folder"):
        inside(folder, name)
    assert inside(folder, "deep/a b.png") == folder / "deep" / "a b.png"
