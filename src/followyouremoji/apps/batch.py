"""`fye batch`: many portraits by many motions, with one bar and a table of what failed."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.choices import with_flags
from followyouremoji.apps.help import examples
from followyouremoji.errors import some_of
from followyouremoji.executors.settings import ClusterChoice
from followyouremoji.requests.request import BatchRequest

if TYPE_CHECKING:
    from followyouremoji.requests.events import BatchEvent, BatchOutcome, PairResult

FAILED = 2  # exit code; of a single animation that fails, too

EPILOG = examples(
    "fye batch portraits/ motions/ -o out/  # out/ANNA_SMILE.mp4 and so on",
    "fye batch me.jpg stickers.txt --format webp  # a list of motions, one a line",
    "fye batch bundled:ada clips/ --stop 50 -o out/  # 50 frames of each clip",
    "fye batch portraits/ motions/ -o out/ --cluster auto  # on many machines",
)


@choices.expanded
def batch(request: BatchRequest, cluster: ClusterChoice) -> None:
    """Animate every portrait of PORTRAITS by every motion of MOTIONS.

    The same command goes on where it was broken off, and makes nothing twice. Portraits and motions that cannot be used
    are listed at the end; the others are made. The exit code is 2 where any failed.
    """
    from followyouremoji.requests.batch import run_batch

    with cluster.workers() as executor, BatchScreen() as screen:
        outcome = run_batch(request, screen, executor=executor)
    summarise(outcome)
    if outcome.failed:
        raise typer.Exit(FAILED)


class BatchScreen:
    """Shows a batch's events, as a context manager."""

    def __init__(self) -> None:
        from followyouremoji.apps.output import progress_bar

        self._stack = ExitStack()
        self._advance = self._stack.enter_context(progress_bar("Reading"))
        self._pair = ""
        self._done: tuple[float, float | None] = 0, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    def __call__(self, event: BatchEvent) -> None:
        from followyouremoji.apps.output import note
        from followyouremoji.requests.events import BatchProgress, Note, PairBegins, PairEnds, Progress, Stage

        match event:
            case PairBegins():
                self._pair = f"{event.number}/{event.total} {event.name}"
                self._advance(*self._done, self._pair)
            case Stage():
                animating = event.name == "animating"
                self._advance(*self._done, self._pair if animating else event.sentence)
            case BatchProgress():
                self._done = event.done, event.total
                self._advance(*self._done)
            case Progress():
                self._advance(*self._done)
            case Note():
                on = f" on {self._pair}" if event.code == "alignment" else ""
                note(f"Note{on}: {with_flags(event.sentence, event.settings)}")
            case PairEnds(result):
                note(f"{self._pair}: {came(result)}", style="")


def came(result: PairResult) -> str:
    """What came of a pair, in some words."""
    from followyouremoji.requests.driving import counted

    if result.outcome is None:
        return with_flags(" ".join((result.error or "").split()), result.settings)
    return f"{counted(result.outcome.frames)} in {result.outcome.seconds:.0f} s"


def summarise(outcome: BatchOutcome) -> None:
    """Print what was made, and a table of what was not."""
    from followyouremoji.apps.output import say, say_table
    from followyouremoji.storage import as_given

    counts = {
        "made": outcome.made,
        "made before": outcome.made_before,
        "failed": len(outcome.failed),
    }
    if outcome.failed:
        reasons = defaultdict(list)
        for pair in outcome.failed:
            reasons[came(pair)].append(pair.name)
        say_table(("failed", "why"), [(some_of(names), why) for why, names in reasons.items()])
        say("")
    told = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    say(f"{as_given(outcome.folder)}: {told}; {outcome.seconds:.0f} s.")
