"""Files elsewhere, on fsspec's own stores: copied once for each version, and written whole or not at all."""

from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest

from followyouremoji.storage import (
    StorageError,
    address_of,
    as_given,
    deliver,
    fetch,
    fetch_folder,
    is_address,
    is_there,
    names_in,
    read,
    write,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FYE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(params=["file", "memory"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address with nothing at it."""
    return f"file://{tmp_path}/there" if request.param == "file" else f"memory://{tmp_path.name}"


def test_addresses_are_told_from_paths_and_survive_being_one() -> None:
    for address in ("s3://bucket/a b/me.jpg", "memory://x", "file:///tmp/me.jpg"):
        assert address_of(address) == as_given(Path(address)) == address
    for path in ("me.jpg", "/tmp/s3://x", "C:/me.jpg", "bundled:ada", "http://host/me.jpg", "s3:x", "s3://"):
        assert not is_address(path)


def test_a_file_is_copied_once_and_again_when_it_changed(there: str) -> None:
    write(f"{there}/in/me.png", b"one")
    first = fetch(f"{there}/in/me.png")
    assert (first.name, first.read_bytes()) == ("me.png", b"one")
    written = first.stat()
    assert fetch(f"{there}/in/me.png") == first
    assert first.stat() == written
    write(f"{there}/in/me.png", b"another")
    assert fetch(f"{there}/in/me.png").read_bytes() == b"another"
    assert first.read_bytes() == b"one"  # whoever reads it goes on


def test_a_folder_is_copied_with_all_that_is_in_it(there: str, tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "vae").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "vae" / "weights").write_bytes(b"12")
    deliver(model, f"{there}/model")
    copy = fetch_folder(f"{there}/model")
    assert sorted(path.relative_to(copy) for path in copy.rglob("*") if path.is_file()) == [
        Path("config.json"),
        Path("vae/weights"),
    ]
    assert names_in(f"{there}/model") == ["config.json"]
    assert names_in(f"{there}/model/config.json") is None
    deliver(model / "vae", f"{there}/model")  # in its place, with nothing left of it
    assert names_in(f"{there}/model") == ["weights"]


def test_what_is_written_is_whole_or_not_there(there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"{there}/note", b"before")
    system, _ = fsspec.core.url_to_fs(there)

    def breaks(self: object, path: str, content: bytes, **more: object) -> None:
        with system.open(path, "wb") as file:
            file.write(content[:2])
        raise ConnectionError("the line broke")

    monkeypatch.setattr(type(system), "pipe_file", breaks)
    with pytest.raises(StorageError, match="the line broke"):
        write(f"{there}/note", b"after")
    assert read(f"{there}/note") == b"before"
    assert names_in(there) == ["note"]


def test_what_cannot_be_had_is_said(there: str) -> None:
    for wrong in (fetch, fetch_folder):
        with pytest.raises(StorageError, match="there is no f"):
            wrong(f"{there}/nothing")
    assert read(f"{there}/nothing") is None
    assert not is_there(f"{there}/nothing")


def test_a_store_whose_library_is_missing_is_said() -> None:
    if find_spec("adlfs") is not None:
        pytest.skip("the library is there")
    with pytest.raises(StorageError, match=r"az://bucket/me\.jpg.*library"):
        fetch("az://bucket/me.jpg")
