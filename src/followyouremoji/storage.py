"""Files that lie elsewhere, by an address of fsspec such as `s3://bucket/me.jpg`.

What is read is copied into this machine's cache folder, once for all its processes, and again only when it changes
there. What is written appears under its name when it is whole.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock

from followyouremoji.cache import cache_folder
from followyouremoji.errors import UserError, first_line
from followyouremoji.files import atomic
from followyouremoji.reading import relative

SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "hf", "file", "memory")
"""Not http: what a page answers is no file, and need not come over TLS."""

ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/{{1,3}}(?=[^/])")
FETCHED = "fetched"  # in the cache folder


class StorageError(UserError):
    """A file that lies elsewhere cannot be read or written."""


def is_address(text: str) -> bool:
    """Whether a text names what lies elsewhere."""
    return address_of(text) is not None


def address_of(given: str | Path | None) -> str | None:
    """The address that a text or a path names, whose slashes `Path` joins; None for a path of this machine."""
    found = ADDRESS.match(str(given))
    if found is None:
        return None
    scheme, rest = found[1], str(given)[found.end() :]
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"


def as_given(path: Path) -> str:
    """A path, or the address that it names, as a user writes it."""
    return address_of(path) or str(path)


def fetch(address: str) -> Path:
    """A copy of a file in the cache folder, under its own name. Raises StorageError."""
    with _reaching(address) as (system, inner):
        if not system.isfile(inner):
            raise StorageError(f"there is no file {address}")
        version = system.ukey(inner)
        return _once(address, version, lambda place: system.get_file(inner, str(place)))


def fetch_folder(address: str) -> Path:
    """A copy of a folder in the cache folder. Raises StorageError."""
    with _reaching(address) as (system, inner):
        start = len(inner.rstrip("/")) + 1
        files = {relative(file[start:]): file for file in sorted(system.find(inner))}
        if not files:
            raise StorageError(f"there is no folder {address}, or nothing in it")

        def copy(place: Path) -> None:
            for name, file in files.items():
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                system.get_file(file, str(place / name))

        return _once(address, " ".join(system.ukey(file) for file in files.values()), copy)


def names_in(address: str) -> list[str] | None:
    """Names of the files in a folder; None where it is none. Raises StorageError."""
    with _reaching(address) as (system, inner):
        if not system.isdir(inner):
            return None
        inside = system.ls(inner, detail=True)
        return [PurePosixPath(one["name"]).name for one in inside if one["type"] == "file"]


def is_there(address: str) -> bool:
    """Whether a file or a folder has this address. Raises StorageError."""
    with _reaching(address) as (system, inner):
        return bool(system.exists(inner))


def read(address: str) -> bytes | None:
    """A small file's content; None where there is none. Raises StorageError."""
    with _reaching(address) as (system, inner):
        return bytes(system.cat_file(inner)) if system.exists(inner) else None


def write(address: str, content: bytes) -> None:
    """Write a small file. Raises StorageError."""
    with _appearing(address) as (system, temporary):
        system.pipe_file(temporary, content)


def deliver(path: Path, address: str) -> None:
    """Copy a file or a folder to an address, in place of what is there. Raises StorageError."""
    with _appearing(address) as (system, temporary):
        system.put(str(path), temporary, recursive=path.is_dir())


@contextmanager
def _appearing(address: str) -> Iterator[tuple[Any, str]]:
    """A file system, and where to write on it what is then moved to the address."""
    with _reaching(address) as (system, inner):
        place = PurePosixPath(inner)
        system.makedirs(str(place.parent), exist_ok=True)
        temporary = str(place.with_name(f".{place.name}.{secrets.token_hex(4)}.part"))
        try:
            yield system, temporary
            if system.isdir(inner):
                system.rm(inner, recursive=True)
            system.mv(temporary, inner, recursive=system.isdir(temporary))
        finally:
            if system.exists(temporary):
                system.rm(temporary, recursive=True)


@contextmanager
def _reaching(address: str) -> Iterator[tuple[Any, str]]:
    """An address's file system, and its path there. What goes wrong is told in a user's words."""
    from fsspec.core import url_to_fs

    try:
        system, inner = url_to_fs(address)
        system.invalidate_cache()
        yield system, inner
    except UserError:
        raise
    except Exception as reason:  # each service has errors of its own
        raise StorageError(
            f"cannot use {address}: {first_line(reason)}; see that the address is right, that its library is installed and "
            "that this machine may use it"
        ) from reason


def _once(address: str, version: str, copy: Any) -> Path:
    """What `copy` made of this version at an address, by whichever process of this machine came first."""
    name = PurePosixPath(address.rstrip("/")).name
    key = hashlib.sha256(f"{address} {version}".encode()).hexdigest()[:32]
    place = cache_folder() / FETCHED / key / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.parent / ".lock"):
            if not place.exists():
                with atomic(place) as temporary:
                    copy(temporary)
    return place
