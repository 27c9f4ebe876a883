"""The portraits and clips in a user's folders, with what their owner says of each, and a name in the suite."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Literal

from followyouremoji.errors import DataError, first_line, shown

Kind = Literal["portrait", "clip"]

LABELS = "labels.csv"
COLUMNS = {
    "portrait": ("file", "style", "licence", "source"),
    "clip": ("file", "expression", "style", "licence", "source"),
}
"""Of the labels; only `file` must be there."""

LONGEST_NAME = 40
"""Characters of an item's name, so that a pair's, which holds two, fits too."""


@dataclass(frozen=True)
class Given:
    """A file that a user gave.

    Attributes
    ----------
    place : the folder's name and the path in it, with forward slashes: what refusals and sources call the file.
    name : in the suite.
    style : of the portrait, or of the face that the clip shows.
    expression : that the clip shows; "" for a portrait.
    """

    kind: Kind
    path: Path
    place: str
    name: str
    style: str
    expression: str
    licence: str
    source: str


@dataclass(frozen=True)
class Twin:
    """A file that is left out, since another in its folder has its name but for the ending."""

    kind: Kind
    place: str
    other: str


def gather(kind: Kind, folders: Sequence[Path], licence: str, source: str) -> tuple[list[Given], list[Twin]]:
    """All files in some folders but hidden ones and the labels, in the order of the folders and paths.

    A portrait's style and a clip's expression are those of its row in the folder's `labels.csv`, else the name of the
    subfolder, else "portrait" and "clip"; `licence` and `source` stand for those that no row gives.

    Raises DataError where there is no such folder, or its labels cannot be used.
    """
    given: list[Given] = []
    twins: list[Twin] = []
    names: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder} to take {kind}s from.")
        labels = read_labels(folder, kind)
        stems: dict[PurePosixPath, str] = {}
        for inside in sorted(_files_below(folder), key=PurePosixPath):
            row = labels.get(str(inside), {})
            place = _as_text(f"{folder.resolve().name}/{inside}")
            stem = inside.with_suffix("")
            if stem in stems:
                twins.append(Twin(kind, place, stems[stem]))
                continue
            stems[stem] = place
            label = _as_text(inside.parts[0]) if len(inside.parts) > 1 else kind
            stated = row.get("source") or source
            given.append(
                Given(
                    kind=kind,
                    path=folder / inside,
                    place=place,
                    name=unique_name(inside.stem, kind, names),
                    style=row.get("style") or (label if kind == "portrait" else "person"),
                    expression="" if kind == "portrait" else row.get("expression") or label,
                    licence=row.get("licence") or licence,
                    source=f"{stated} ({place})" if stated else place,
                )
            )
    return given, twins


def unique_name(text: str, otherwise: str, taken: set[str]) -> str:
    """A name for a file of a suite: letters without accents, digits and single dashes, unlike all that are `taken`, on
    file systems that do not tell small letters from large ones too. It is then taken."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:LONGEST_NAME].strip("-") or otherwise
    name, number = plain, 1
    while name.lower() in taken:
        number += 1
        ending = f"-{number}"
        name = plain[: LONGEST_NAME - len(ending)].strip("-") + ending
    taken.add(name.lower())
    return name


def read_labels(folder: Path, kind: Kind) -> dict[str, dict[str, str]]:
    """By the path in the folder, what `labels.csv` says of each file; nothing where there is none.

    Raises DataError for a table that cannot be read, has no column `file` or an unknown one, or names a file that is
    not there, or twice.
    """
    path = folder / LABELS
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as reason:
        raise DataError(f"{path} cannot be read as a CSV table in UTF-8 ({first_line(reason)}).") from None
    header = text.partition("\n")[0]
    comma = (
        ";" if ";" in header and "," not in header else ","
    )  # where a comma is in numbers, tables are written so
    rows = csv.DictReader(StringIO(text, newline=""), delimiter=comma)
    known = COLUMNS[kind]
    unknown = [name for name in rows.fieldnames or () if name not in known]
    if unknown or "file" not in (rows.fieldnames or ()):
        wrong = f"an unknown column {shown(repr(unknown[0]))}" if unknown else "no column `file`"
        raise DataError(
            f"{path} has {wrong}; its columns are {', '.join(known)}, of which `file` must be there."
        )
    labels: dict[str, dict[str, str]] = {}
    try:
        for row in rows:
            _add_row({name: (text or "").strip() for name, text in row.items() if name}, labels, folder)
    except csv.Error as reason:
        raise DataError(f"{path} is no CSV table: line {rows.line_num}: {first_line(reason)}.") from None
    return labels


def _add_row(row: dict[str, str], labels: dict[str, dict[str, str]], folder: Path) -> None:
    file = str(PurePosixPath(row["file"].replace("\\", "/")))
    if not (folder / file).is_file():
        raise DataError(f"{folder / LABELS} names {shown(repr(row['file']))}, which is not in its folder.")
    if file in labels:
        raise DataError(f"{folder / LABELS} names {shown(repr(row['file']))} twice.")
    labels[file] = row


def _files_below(folder: Path) -> Iterator[PurePosixPath]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = PurePosixPath(Path(parent).relative_to(folder).as_posix())
        yield from (
            here / name for name in names if not name.startswith(".") and here / name != PurePosixPath(LABELS)
        )


def _as_text(name: str) -> str:
    """A file's name, which need be no valid text, as one."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
