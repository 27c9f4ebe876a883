"""Hashes of what figures depend on, so that what was drawn or measured before is used again only while it would come
out the same."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

import followyouremoji

PACKAGE = Path(followyouremoji.__file__).parent


@cache
def code_hash(*parts: str, libraries: tuple[str, ...] = ()) -> str:
    """Twelve hexadecimal digits of the package's code and data in `parts` (files or folders) and of the versions of
    `libraries`."""
    digest = hashlib.sha256()
    for part in parts:
        paths = sorted((PACKAGE / part).rglob("*")) if (PACKAGE / part).is_dir() else [PACKAGE / part]
        for path in paths:
            if path.suffix in (".py", ".npz"):
                digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    for library in libraries:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()[:12]


def text_hash(text: str) -> str:
    """Twelve hexadecimal digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
