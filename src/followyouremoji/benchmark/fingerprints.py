"""Hashes of all that figures depend on, so that earlier drawings and figures are used again only while they would come
out the same."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import followyouremoji

PACKAGE = Path(followyouremoji.__file__).parent


@cache
def code_hash(*rooms: str, libraries: tuple[str, ...] = ()) -> str:
    """Twelve hexadecimal digits of the code and data of the package's `rooms`, or folders in them such as
    "benchmark/drawn", by default of all but the commands, and of the versions of `libraries`."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        place = path.relative_to(PACKAGE)
        counts = any(map(place.is_relative_to, rooms)) if rooms else place.parts[0] != "apps"
        if counts and path.suffix in (".py", ".npz"):
            digest.update(place.as_posix().encode() + path.read_bytes())
    for library in libraries:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()[:12]


def text_hash(text: str) -> str:
    """Twelve hexadecimal digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
