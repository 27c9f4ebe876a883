"""One file over HTTP, which goes on where it stopped."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 20  # bytes
TIMEOUT = 60.0  # seconds without an answer
INTERRUPTIONS = (OSError, http.client.HTTPException)  # urllib's errors are OSErrors


def fetch(url: str, file: Path, size: int, report: Callable[[int], None] | None = None) -> None:
    """Fetch `size` bytes from `url` to `file`; what has arrived lies in `file` + `.part` until it is whole.

    An interruption is retried from where it happened as long as anything arrives. `report` is told how many bytes there
    are. Contents are not checked. Raises one of `INTERRUPTIONS`; a later call goes on from there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    if _size(part) > size:
        part.unlink()
    while (start := _size(part)) < size:
        try:
            _append(url, part, start, report)
        except INTERRUPTIONS:
            if _size(part) <= start:
                raise
        else:
            if _size(part) <= start:
                raise OSError("the server sent nothing")
    part.replace(file)


def _append(url: str, part: Path, start: int, report: Callable[[int], None] | None) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        done = start if resumed else 0
        with part.open("ab" if resumed else "wb") as opened:
            while chunk := response.read(CHUNK):
                opened.write(chunk)
                done += len(chunk)
                if report is not None:
                    report(done)


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0
