"""Where results are kept: in a folder, or anywhere that fsspec reaches."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from followyouremoji.errors import SettingsError, first_line
from followyouremoji.files import atomic
from followyouremoji.storage import deliver

PIECE = 1 << 18  # bytes


class Results:
    """A folder of results at an address of fsspec; one without a scheme is a path. A result appears whole or not at
    all, under a name that is the same however often it is published.

    Raises SettingsError for an address that cannot be used.
    """

    def __init__(self, address: str) -> None:
        import fsspec
        from fsspec.implementations.local import LocalFileSystem

        try:
            self._system, root = fsspec.url_to_fs(address)
            self._system.makedirs(root, exist_ok=True)
        except Exception as reason:  # of whatever library reaches it
            raise SettingsError(
                f"results cannot be kept in {address}: {first_line(reason)}", settings=["store"]
            ) from reason
        self._address, self._root = address.rstrip("/"), str(root).rstrip("/")
        self._local = isinstance(self._system, LocalFileSystem)

    def publish(self, made: Path, name: str) -> int:
        """Put a finished file in its place; returns its bytes. Raises OSError and StorageError."""
        if self._local:
            with atomic(Path(self._root) / name) as temporary:
                shutil.copyfile(made, temporary)
        else:
            deliver(made, f"{self._address}/{name}")
        return made.stat().st_size

    def path(self, name: str) -> Path | None:
        """Of a result, where it is a file of this machine."""
        path = Path(self._root) / name
        return path if self._local and path.is_file() else None

    def pieces(self, name: str) -> Iterator[bytes]:
        """A result's content. Raises FileNotFoundError."""
        with self._system.open(f"{self._root}/{name}", "rb") as opened:
            while piece := opened.read(PIECE):
                yield piece

    def remove(self, name: str) -> None:
        """Nothing where there is none."""
        with suppress(FileNotFoundError):
            self._system.rm_file(f"{self._root}/{name}")
