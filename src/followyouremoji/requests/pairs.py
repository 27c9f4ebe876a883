"""The pairs of a batch: the files that a user means as portraits and as motions, and a name for each result."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from followyouremoji.errors import UserError, some_of
from followyouremoji.face.motion import MOTION_ENDINGS, Motion
from followyouremoji.media.kinds import PHOTO_ENDINGS, VIDEO_ENDINGS
from followyouremoji.requests.bundled import PREFIX, driving_source, portrait_path
from followyouremoji.requests.events import Note
from followyouremoji.storage import fetch, is_address, names_in

LIST_ENDING = ".txt"
LONGEST_NAME = (
    100  # bytes of a portrait's or a motion's part in a result's name; file systems take 255 in all
)


class BatchError(UserError):
    """A batch cannot be made as it is asked for."""


@dataclass(frozen=True)
class Source:
    """A portrait or a motion: as it is `given` in a request, the `path` of its file, which a computed motion has none
    of, and its part of results' names. Of what lies elsewhere the path is that of a copy."""

    given: str
    path: Path
    name: str

    @property
    def here(self) -> str:
        """What a request calls it on this machine."""
        return str(self.path) if is_address(self.given) else self.given

    def fetched(self) -> Source:
        """The same on another machine, where it is copied anew."""
        return replace(self, path=fetch(self.given)) if is_address(self.given) else self


@dataclass(frozen=True)
class Pair:
    """A portrait and a motion, and the `name` of their result without its ending, which is that of no other pair."""

    portrait: Source
    motion: Source
    name: str


@dataclass(frozen=True)
class Pairs:
    """All pairs, portrait by portrait; `notes` say which files of the folders are left out."""

    pairs: tuple[Pair, ...]
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, portraits: Sequence[str], motions: Sequence[str]) -> Pairs:
        """Pairs of what `BatchRequest` names. Raises UserError for a name that leads nowhere, or to nothing of its
        kind."""
        notes: list[Note] = []
        faces = sources(portraits, "portrait", PHOTO_ENDINGS, portrait_path, notes)
        endings = (*MOTION_ENDINGS, *VIDEO_ENDINGS, *PHOTO_ENDINGS)
        moves = sources(motions, "motion", endings, driving_source, notes)
        both = [(face, move) for face in faces for move in moves]
        names = unlike(f"{face.name}_{move.name}" for face, move in both)
        pairs = tuple(Pair(*pair, name) for pair, name in zip(both, names, strict=True))
        return cls(pairs, tuple(notes))


def sources(
    given: Sequence[str],
    kind: str,
    endings: Sequence[str],
    source_of: Callable[[str], Path | Motion],
    notes: list[Note],
) -> list[Source]:
    """The files that are meant, each once, in the order given and in folders that of their names.

    `kind` names them in messages, `endings` are theirs in folders, `source_of` gives the path of one, or a motion.
    """
    found: dict[Path | str, tuple[str, Path]] = {}
    for text in listed(given):
        folder = Path(text)
        if is_address(text):
            inside = names_in(text)
            names = sorted(inside or (), key=lambda name: in_natural_order(Path(name)))
            files = [f"{text.rstrip('/')}/{name}" for name in names if Path(name).suffix.lower() in endings]
            for file in [text] if inside is None else files:
                found.setdefault(file, (file, fetch(file)))
            continue
        if text.startswith(PREFIX) or not folder.is_dir():
            files, others = [text], list[str]()
        else:
            files, others = in_folder(folder, endings)
        if others:
            notes.append(Note("left_out", f"{folder}: left out {some_of(others)}, no {kind} by the name."))
        for file in files:
            source = source_of(file)
            if isinstance(source, Motion):
                found.setdefault(file, (file, Path(source.source)))
                continue
            if not source.exists():
                raise BatchError(f"there is no file or folder {source}")
            found.setdefault(source.resolve(), (file, source))
    if not found:
        raise BatchError(
            f"{', '.join(given) or 'nothing'} holds no {kind}: {', '.join(endings)} are looked for"
        )
    files = [file for file, _ in found.values()]
    paths = [path for _, path in found.values()]
    return [Source(*one) for one in zip(files, paths, names_of(paths), strict=True)]


def listed(given: Sequence[str]) -> Iterator[str]:
    """What is given, and instead of a list the lines of it."""
    for text in given:
        path = Path(text)
        if path.suffix.lower() != LIST_ENDING or not path.is_file():
            yield text
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as reason:
            raise BatchError(
                f"cannot read the list {path}: {reason}; give a text with one path a line"
            ) from reason
        yield from (line.strip() for line in lines if line.strip())


def in_folder(folder: Path, endings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Paths of a folder's files with one of some endings, and names of all else in it but what is hidden."""
    try:
        inside = sorted((one for one in folder.iterdir() if one.name[0] != "."), key=in_natural_order)
    except OSError as reason:
        raise BatchError(f"cannot read the folder {folder}: {reason.strerror}") from reason
    taken = [one for one in inside if one.is_file() and one.suffix.lower() in endings]
    return [str(one) for one in taken], [one.name for one in inside if one not in taken]


def in_natural_order(path: Path) -> tuple[list[str | int], str]:
    """A key that puts clip2 before clip10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], path.name


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its own without the ending, which only those get that are alike without it."""
    stems = [safe(path.stem) for path in paths]
    count = Counter(stem.casefold() for stem in stems)
    return unlike(
        stem if count[stem.casefold()] == 1 else f"{stem}-{safe(path.suffix[1:].lower())}"
        for stem, path in zip(stems, paths, strict=True)
    )


def safe(text: str) -> str:
    """A part of a file's name that every file system takes."""
    plain = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", unicodedata.normalize("NFC", text))
    return plain.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .") or "unnamed"


def unlike(names: Iterable[str]) -> list[str]:
    """The names, with a number where one came before, on file systems that do not tell small letters from large ones
    too."""
    made: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, free = 1, name
        while free.casefold() in taken:
            number += 1
            free = f"{name}-{number}"
        taken.add(free.casefold())
        made.append(free)
    return made
