"""Bodies of requests that hold files, written to the disk as they come, and given up as soon as they are too large."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from followyouremoji.job_server.problems import Refused

MOST_TEXT = 100_000
"""Bytes of a part that is no file."""
LEAST_FREE = 1_000_000_000
"""Bytes of the disk that are left to others."""
LONGEST_NAME = 80
UNSAFE = re.compile(r"[^\w.-]+")


@dataclass
class Form:
    """What a request held: texts, and files with their SHA-256, by the names of the parts."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


class FormReader:
    """Takes a multipart body piece by piece; its files are written to FOLDER/PART/NAME.

    `taken` are the names of parts that are known, and whether they may be files. Raises Refused.
    """

    def __init__(self, content_type: str, folder: Path, most_bytes: int, taken: Mapping[str, bool]) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise Refused(415, "send the job as multipart/form-data")
        self.form = Form()
        self._folder, self._most, self._taken = folder, most_bytes, taken
        self.bytes = 0
        self._ended = False
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._name = ""
        self._text = b""
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    async def read(self, body: AsyncIterator[bytes]) -> Form:
        """All of the body."""
        try:
            async for piece in body:
                self.bytes += len(piece)
                if self.bytes > self._most + MOST_TEXT:
                    raise Refused(413, f"this is too large: up to {self._most // 1_000_000} MB are taken")
                await run_in_threadpool(self._parser.write, piece)
            if not self._ended:
                raise Refused(400, "the form is cut off")
            return self.form
        except MultipartParseError:
            raise Refused(400, "this is no multipart form, or a damaged one") from None
        finally:
            if self._file is not None:
                self._file.close()

    def _begin(self) -> None:
        self._headers, self._header, self._text = {}, (b"", b""), b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0] + data[start:end], b""

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = self._header[0], self._header[1] + data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = self._name = options.get(b"name", b"").decode("utf-8", "replace")
        is_file = b"filename" in options
        if name not in self._taken or (is_file and not self._taken[name]):
            raise Refused(422, f"there is no part {name[:40]!r}; known are {', '.join(self._taken)}")
        if name in self.form.texts or name in self.form.files:
            raise Refused(422, f"the part {name} is given twice")
        if is_file:
            path = self._folder / name / safe_name(options[b"filename"].decode("utf-8", "replace"))
            path.parent.mkdir(parents=True)
            self.form.files[name] = path
            self._file, self._digest = path.open("xb"), hashlib.sha256()

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._file is not None:
            check_disk(self._folder)
            self._file.write(piece)
            self._digest.update(piece)
        elif len(self._text) + len(piece) > MOST_TEXT:
            raise Refused(413, f"the part {self._name} is too long: up to {MOST_TEXT} bytes are taken")
        else:
            self._text += piece

    def _end(self) -> None:
        if self._file is None:
            try:
                self.form.texts[self._name] = self._text.decode()
            except UnicodeDecodeError:
                raise Refused(422, f"the part {self._name} is no text in UTF-8") from None
            return
        if self._file.tell() == 0:
            raise Refused(422, f"the file {self.form.files[self._name].name} is empty (0 bytes)")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        self.form.digests[self._name] = self._digest.hexdigest()

    def _finish(self) -> None:
        self._ended = True


def check_disk(folder: Path) -> None:
    """Raise Refused where the disk is nearly full."""
    if shutil.disk_usage(folder).free < LEAST_FREE:
        raise Refused(507, "the server's disk is full: its owner has to make room")


def safe_name(given: str) -> str:
    """A file's name as it lies on the disk: letters, digits, dots and dashes of its end, never a path."""
    name = (
        UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2]).lstrip(".")[-LONGEST_NAME:].lstrip(".")
    )
    return name or "file"
