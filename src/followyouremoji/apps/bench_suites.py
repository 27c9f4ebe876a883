"""`fye bench build`, `check` and `list`: suites out of folders, whether one is whole, and what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from followyouremoji.benchmark.building import Refused
    from followyouremoji.benchmark.suite import Suite

SHOWN = 20  # refused files; the table in the suite has all


def build(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The suite's folder, a new one.")],
    clips: Annotated[
        list[Path],
        typer.Option(
            metavar="DIR",
            help="A folder of clips of one face each, a subfolder for each expression, or with a labels.csv. May be given again.",
        ),
    ],
    portraits: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder of portraits, a subfolder for each style, or with a labels.csv. May be given again.",
            show_default="none",
        ),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of pictures and clips, pixels.")] = 256,
    frames: Annotated[int, typer.Option(help="Most frames of a clip, counted from its first.")] = 150,
    cross: Annotated[
        str,
        typer.Option(
            metavar="N|all", help="With how many of the clips each portrait is paired, in turns; or all."
        ),
    ] = "1",
    name: Annotated[str | None, typer.Option(help="The suite's name.", show_default="the folder's")] = None,
    licence: Annotated[
        str, typer.Option(help="Licence of the files, where labels.csv states none.")
    ] = "not stated",
    source: Annotated[
        str,
        typer.Option(
            help="Where the files come from, where labels.csv does not say.", show_default="not stated"
        ),
    ] = "",
    processes: Annotated[int, typer.Option(help="Files worked on at once.", min=1, max=1024)] = 1,
) -> None:
    """Make a suite of your own portraits and clips: faces are found, squares cut, motions followed.

    Files that cannot be used are listed with the reason, here and in refused.csv; overview.jpg shows all the others.
    """
    from followyouremoji.apps.output import note, progress_bar, say
    from followyouremoji.benchmark.building import (
        OVERVIEW,
        BuildSettings,
        NothingAccepted,
        build_suite,
    )
    from followyouremoji.errors import SettingsError
    from followyouremoji.executors import Processes

    if cross != "all" and not (cross.isascii() and cross.isdigit()):
        raise SettingsError(f"--cross is a number of clips, or all, not {cross!r}.")
    settings = BuildSettings(
        size=size,
        frames=frames,
        cross=None if cross == "all" else int(cross),
        name=name,
        licence=licence,
        source=source,
    )
    try:
        with Processes(processes) as executor, progress_bar("files") as advance:
            built = build_suite(out, portraits or [], clips, settings, executor, advance)
    except NothingAccepted as nothing:
        _tell_refused(nothing.refused)
        raise
    for one in built.notes:
        note(one)
    _tell_refused(built.refused)
    say(f"{_summary(built.suite)} Look at {out / OVERVIEW}.")


def check(
    suite: Annotated[Path, typer.Argument(metavar="SUITE", help="The folder of a suite.")],
    processes: Annotated[int, typer.Option(help="Files read at once.", min=1, max=1024)] = 1,
) -> None:
    """Verify a suite: every file is there, unchanged, decodes, and is what the manifest says."""
    from followyouremoji.apps.output import note, progress_bar, say
    from followyouremoji.benchmark.checking import check as problems_of
    from followyouremoji.benchmark.checking import extra_files
    from followyouremoji.benchmark.suite import Suite
    from followyouremoji.errors import DataError, some_of
    from followyouremoji.executors import Local, Processes

    workers = Local() if processes == 1 else Processes(processes)
    with workers as executor, progress_bar("files") as advance:
        problems = problems_of(suite, executor, advance)
    if problems:
        for problem in problems:
            say(problem)
        raise DataError(f"{suite} cannot be used: {_counted(len(problems), 'problem')}, see above.")
    found = Suite.read(suite)
    if extra := extra_files(found):
        note(f"{suite} also holds {some_of(extra)}, which the manifest does not name.")
    say(f"{_summary(found)} Every file is as the manifest says.")


def list_(
    suites: Annotated[
        list[Path] | None, typer.Argument(metavar="SUITE", help="Folders of suites to describe too.")
    ] = None,
) -> None:
    """Show the suites that are drawn on demand, and what any suite holds."""
    from followyouremoji.apps.output import note, say
    from followyouremoji.benchmark.named import DRAWN, drawn_suite, earlier_drawings
    from followyouremoji.benchmark.suite import Suite

    for name in DRAWN:
        drawn = drawn_suite(name)
        if drawn.is_drawn:
            say(f"{name}: drawn, {_megabytes(drawn.folder)}, in {drawn.folder}")
            _describe(Suite.read(drawn.folder))
        else:
            say(f"{name}: not drawn yet; the first run draws it into {drawn.folder}")
    for folder in suites or ():
        found = Suite.read(folder)
        say(f"{folder}: {found.manifest.name}, {_megabytes(folder)}")
        _describe(found)
    for old in earlier_drawings():
        note(f"{old} was drawn by another version, {_megabytes(old)}; it can be deleted.")


def _describe(suite: Suite) -> None:
    from followyouremoji.apps.output import say

    manifest = suite.manifest
    say(f"  {manifest.about}")
    styles = Counter(portrait.style for portrait in manifest.portraits)
    expressions = Counter(clip.expression for clip in manifest.clips)
    pairs = Counter("self" if pair.portrait is None else "cross" for pair in manifest.pairs)
    true = sum(pair.truth is not None for pair in manifest.pairs)
    frames = sum(clip.footage.frames for clip in manifest.clips)
    licences = Counter([one.licence for one in manifest.portraits] + [one.licence for one in manifest.clips])
    say(f"  portraits  {_counts(styles)}")
    say(f"  clips      {_counts(expressions)}; {frames} frames of {manifest.size}x{manifest.size} pixels")
    say(f"  pairs      {pairs['self']} self, {pairs['cross']} cross, {true} of these with their true result")
    say(f"  licences   {_counts(licences)}")


def _summary(suite: Suite) -> str:
    manifest = suite.manifest
    return (
        f"{suite.folder}: {_counted(len(manifest.portraits), 'portrait')}, {_counted(len(manifest.clips), 'clip')}, "
        f"{_counted(len(manifest.pairs), 'pair')}."
    )


def _tell_refused(refused: Sequence[Refused]) -> None:
    from followyouremoji.apps.output import note
    from followyouremoji.benchmark.building import REFUSED

    if not refused:
        return
    note(f"Refused: {_counted(len(refused), 'file')}.")
    wide = max(len(one.place) for one in refused[:SHOWN])
    for one in refused[:SHOWN]:
        note(f"  {one.place.ljust(wide)}  {one.reason}")
    if len(refused) > SHOWN:
        note(f"  and {len(refused) - SHOWN} more, see {REFUSED}")


def _counts(counted: Counter[str]) -> str:
    listed = ", ".join(f"{count} {what}" for what, count in sorted(counted.items()))
    return f"{counted.total()} ({listed})" if counted else "none"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _megabytes(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e6:.0f} MB"
