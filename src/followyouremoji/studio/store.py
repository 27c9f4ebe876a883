"""What visitors give and get, on the disk: each has an own folder, found by a token that nobody else knows.

    FOLDER/visitors/NAME/materials/ID/   a portrait or a driving that was uploaded: about.json and the file
    FOLDER/visitors/NAME/results/ID/     an animation or a sticker that was asked for: result.json and, when it is made,
                                         the file
    FOLDER/visitors/NAME/draft.json      what the page showed last

What a request names is looked up among what is there, and never made a path. What a visitor may keep is bounded, and
so is for how long what nobody uses is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self
from weakref import WeakValueDictionary

from followyouremoji.config import parse, validated
from followyouremoji.errors import DataError, SettingsError
from followyouremoji.files import atomic, clear_stale, write_json
from followyouremoji.jobs.folder import claimed
from followyouremoji.jobs.work import UNDER_WAY, JobState
from followyouremoji.requests.bundled import PREFIX
from followyouremoji.studio.examples import bundled_material
from followyouremoji.studio.material import Kind, Material, NotThere

ResultKind = Literal["animation", "sticker", "pack"]
"""A pack is of several stickers."""

NAME = re.compile(r"[0-9a-f]{32}")

VISITOR_BYTES = 2_000_000_000
LEAST_FREE = 1_000_000_000
"""Bytes of the disk that are left to others."""

DAY = 24 * 3600.0
KEPT_UNUSED = DAY
"""Seconds that an uploaded file is kept which no result and no draft names."""
KEPT_UNSEEN = 30 * DAY
"""Seconds that what a visitor without results has is kept."""


@validated
class About:
    """What `about.json` says of a material."""

    kind: Kind
    name: str
    """Of the file, as the visitor knows it."""
    file: str
    """Of the file in the material's folder."""
    details: dict[str, Any]
    """What was found when it was checked: see `materials.examine`."""


@validated
class Result:
    """What `result.json` says of an animation or a sticker.

    `portrait` and `driving` are ids of materials, the latter empty for a pack of stickers; `settings` are what the
    page's controls said, `outcome` what `requests.events.Outcome` says, without its path, or `stickers.outcome_of`.
    Those that were asked for together share a `batch`. `error_settings` are names of those that the error is about.
    """

    id: str
    created: float
    state: JobState
    title: str
    portrait: str
    driving: str
    settings: dict[str, Any]
    batch: str | None = None
    file: str | None = None
    error: str | None = None
    error_settings: tuple[str, ...] = ()
    outcome: dict[str, Any] | None = None
    kind: ResultKind = "animation"


class Visitor:
    """What one visitor has, `most` bytes of it. Threads may share it."""

    def __init__(self, name: str, folder: Path, most: int) -> None:
        self.name, self.folder, self.most = name, folder, most
        self._lock = Lock()

    def size(self) -> int:
        """Bytes that the visitor's files take."""
        return sum(_sizes(self.folder))

    def room(self) -> int:
        """How many bytes more the visitor may keep. Raises SettingsError where that is none."""
        room = self.most - self.size()
        if room <= 0:
            raise SettingsError(
                f"your files take all of the {self.most / 1e9:g} GB that each visitor has; delete some results first"
            )
        return room

    def check_disk(self) -> None:
        """Raise SettingsError where the disk is nearly full."""
        if shutil.disk_usage(self.folder).free < LEAST_FREE:
            raise SettingsError("the studio's disk is full: its owner has to make room")

    # Materials

    def new_folder(self) -> Path:
        """A new folder for a material, outside the list of materials until `keep_material` is called."""
        folder = self.folder / "incoming" / secrets.token_hex(16)
        folder.mkdir(parents=True)
        return folder

    def keep_material(
        self, incoming: Path, kind: Kind, name: str, file: str, details: Mapping[str, Any]
    ) -> Material:
        """Keep what lies in `incoming` (a `new_folder`) as a material."""
        about = {"kind": kind, "name": name, "file": file, "details": dict(details)}
        write_json(incoming / "about.json", about)
        place = self.folder / "materials" / incoming.name
        place.parent.mkdir(parents=True, exist_ok=True)
        incoming.rename(place)
        return self.material(incoming.name)

    def material(self, identity: str) -> Material:
        """A material of this visitor, or a bundled one. Raises NotThere."""
        if identity.startswith(PREFIX):
            return bundled_material(identity)
        folder = self._folder("materials", identity)
        about = parse(About, (folder / "about.json").read_bytes(), folder / "about.json", DataError)
        given = str(folder / Path(about.file).name)
        return Material(identity, about.kind, about.name, given, folder, about.details)

    def materials(self, kind: Kind | None = None) -> list[Material]:
        """Those that were uploaded, the latest first; what cannot be read is left out."""
        found = []
        for folder in (self.folder / "materials").glob("*"):
            with suppress(NotThere, OSError, DataError):
                found.append(((folder / "about.json").stat().st_mtime_ns, self.material(folder.name)))
        return [one for _, one in sorted(found, key=lambda pair: -pair[0]) if kind in (None, one.kind)]

    # Results

    def new_result(
        self,
        title: str,
        portrait: str,
        driving: str,
        settings: Mapping[str, Any],
        batch: str | None = None,
        kind: ResultKind = "animation",
    ) -> tuple[Result, Path]:
        """Note what was asked for; also returns its folder. Raises SettingsError without room."""
        self.room()
        result = Result(
            id=secrets.token_hex(16),
            created=time.time(),
            state="waiting",
            title=title,
            portrait=portrait,
            driving=driving,
            settings=dict(settings),
            batch=batch,
            kind=kind,
        )
        folder = self.folder / "results" / result.id
        folder.mkdir(parents=True)
        self.check_disk()
        self._write(folder, result)
        return result, folder

    def change_result(self, identity: str, **changes: Any) -> Result:
        """Note what became of a result. Raises NotThere where it was deleted meanwhile."""
        with self._lock:
            result = replace(self.result(identity), **changes)
            self._write(self._folder("results", identity), result)
            return result

    def result(self, identity: str) -> Result:
        """Raises NotThere."""
        path = self._folder("results", identity) / "result.json"
        return parse(Result, path.read_bytes(), path, DataError)

    def results(self) -> list[Result]:
        """All of them, the latest first; what cannot be read is left out."""
        found = []
        for folder in (self.folder / "results").glob("*"):
            try:
                found.append(self.result(folder.name))
            except (NotThere, OSError, DataError):
                continue
        return sorted(found, key=lambda result: -result.created)

    def result_file(self, identity: str) -> Path:
        """The file of a result that is done. Raises NotThere."""
        file = self.result(identity).file
        if file is None:
            raise NotThere(identity)
        return self._folder("results", identity) / Path(file).name

    def delete_result(self, identity: str) -> None:
        """Raises NotThere."""
        shutil.rmtree(self._folder("results", identity))

    # The page's last state

    def draft(self) -> dict[str, Any]:
        """What each tab showed last, by its name; empty for a new visitor."""
        try:
            draft = json.loads((self.folder / "draft.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return draft if isinstance(draft, dict) else {}

    def keep_draft(self, tab: str, shown: Mapping[str, Any]) -> None:
        """Keep what a tab shows; two tabs may do so at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            write_json(self.folder / "draft.json", {**self.draft(), tab: dict(shown)})

    def remove_unused(self) -> None:
        """Remove materials that no result and no draft names, once they are not new any more. Raises OSError."""
        old = [one for one in (self.folder / "materials").glob("*") if _age(one) > KEPT_UNUSED]
        if old:
            notes = [
                path.read_text(encoding="utf-8", errors="replace")
                for path in self.folder.rglob("*.json")
                if path.relative_to(self.folder).parts[0] != "materials"
            ]
            used = set(NAME.findall(" ".join(notes)))
            for one in old:
                if one.name not in used:
                    shutil.rmtree(one)

    def _folder(self, kind: str, identity: str) -> Path:
        folder = self.folder / kind / identity
        if not NAME.fullmatch(identity) or not folder.is_dir():
            raise NotThere(identity)
        return folder

    @staticmethod
    def _write(folder: Path, result: Result) -> None:
        from pydantic import TypeAdapter

        with atomic(folder / "result.json") as temporary:
            temporary.write_bytes(TypeAdapter(Result).dump_json(result, indent=1))


class Store:
    """All visitors' folders, in one of the studio's. Files are readable by the user who runs the studio alone.

    A context manager that holds the folder's lock: one studio at a time has it. Raises SettingsError where another has.
    """

    def __init__(self, folder: Path, visitor_bytes: int = VISITOR_BYTES) -> None:
        self.folder, self.visitor_bytes = folder, visitor_bytes
        self._visitors: WeakValueDictionary[str, Visitor] = WeakValueDictionary()
        self._visitors_lock = Lock()
        self._held = claimed(folder, "visitors", "studio")
        for visitor in self._all():
            self._begin_again(visitor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._held.release()

    def visitor(self, token: str) -> Visitor:
        """The visitor with a token; the folder's name does not tell the token."""
        visitor = self._named(hashlib.sha256(token.encode()).hexdigest()[:32])
        with suppress(OSError):  # of a new one there is nothing yet
            os.utime(visitor.folder)
        return visitor

    def unplaced(self, sentence: str) -> str:
        """A sentence that tells no visitor where files lie."""
        return re.sub(rf"{re.escape(str(self.folder))}\S*/", "", sentence)

    def tidy(self) -> None:
        """Remove what nobody uses: see `KEPT_UNUSED` and `KEPT_UNSEEN`."""
        for visitor in self._all():
            with suppress(OSError):  # it was removed meanwhile
                if _age(visitor.folder) > KEPT_UNSEEN and not any((visitor.folder / "results").glob("*")):
                    shutil.rmtree(visitor.folder)
                else:
                    visitor.remove_unused()

    def _named(self, name: str) -> Visitor:
        with self._visitors_lock:
            made = Visitor(name, self.folder / "visitors" / name, self.visitor_bytes)
            return self._visitors.setdefault(name, made)

    def _all(self) -> list[Visitor]:
        return [
            self._named(one.name) for one in (self.folder / "visitors").iterdir() if NAME.fullmatch(one.name)
        ]

    @staticmethod
    def _begin_again(visitor: Visitor) -> None:
        """After the studio ended, orderly or not: nothing half-made stays, and nothing is under way."""
        shutil.rmtree(visitor.folder / "incoming", ignore_errors=True)
        for folder in (visitor.folder / "results").glob("*"):
            if not (folder / "result.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
        for result in visitor.results():
            clear_stale(visitor.folder / "results" / result.id)
            if result.state in UNDER_WAY:
                visitor.change_result(result.id, state="interrupted")
                for made in (visitor.folder / "results" / result.id).iterdir():
                    if made.is_dir():
                        shutil.rmtree(made, ignore_errors=True)
                    elif made.name != "result.json":
                        made.unlink()


def _age(path: Path) -> float:
    """Seconds since something in a folder was made or removed, or a visitor's was used. Raises OSError."""
    return time.time() - path.stat().st_mtime


def _sizes(folder: Path) -> Iterator[int]:
    """Of all files in a folder, bytes."""
    for path in folder.rglob("*"):
        with suppress(OSError):  # it was removed meanwhile
            if path.is_file():
                yield path.stat().st_size
