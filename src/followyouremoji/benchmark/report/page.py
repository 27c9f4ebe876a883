"""The page: everything that results say in one HTML file that needs nothing else, neither a network nor a folder."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from followyouremoji.benchmark.report import content, plots
from followyouremoji.benchmark.report.clips import BUDGET, Choice, ShownClip, choices, shown_clip
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.suite import Suite
from followyouremoji.benchmark.tables import number
from followyouremoji.errors import SettingsError, UserError

COLOURS = 8
"""Colours of systems that the style sheet has; more systems than these begin again."""


@dataclass(frozen=True)
class Clips:
    """The clips of a page.

    Attributes
    ----------
    subject : the system whose best, median and worst clips they are.
    choices : by mode.
    shown : by pair's mode and name, as far as they fit.
    remarks : why some or all are not shown.
    """

    subject: str
    choices: dict[str, list[Choice]]
    shown: dict[tuple[str, str], ShownClip]
    remarks: tuple[str, ...]


NO_CLIPS = Clips("", {}, {}, ())


def as_html(scores: Scores, suite: Suite | None, clips: Clips, tables: content.Tables) -> str:
    """The page as HTML. `suite`: None where its folder is not there."""
    try:
        import jinja2
    except ImportError as error:
        raise SettingsError("the page needs jinja2: pip install 'followyouremoji[bench]'") from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "template"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "named": lambda names: [(name, name) for name in names],
        "unbroken": lambda title: title.replace(" ↓", "\u00a0↓").replace(" ↑", "\u00a0↑"),
        "titles": lambda panels: [(panel.metric, panel.title) for panel in panels],
        "metrics_of": lambda some: list({one.metric.name: one.metric.title for one in some}.items()),
    }
    environment.globals.update(number=number, style=_text("page.css"), script=_text("page.js"))
    return environment.get_template("page.html").render(
        scores=scores,
        run=scores.run,
        suite=suite,
        manifest=None if suite is None else suite.manifest,
        clips=clips,
        tables=tables,
        mode_titles=content.MODE_TITLES,
        systems=content.ordered_systems(scores),
        colour=system_colours(scores),
        panels={mode: plots.interval_panels(scores, mode) for mode in scores.modes},
        strips={
            mode: [plots.strip_panel(scores, mode, metric) for metric in content.headlines(scores, mode)]
            for mode in scores.modes
        },
        curves={mode: plots.accuracy_curves(scores, mode) for mode in scores.modes},
        missing=content.missing_metrics(scores),
        measured=[m for m in scores.metrics if any(m in scores.columns(mode) for mode in scores.modes)],
        papers=content.papers(),
        papers_tables=content.papers_tables(),
    )


def system_colours(scores: Scores) -> dict[str, str]:
    """The class of a system's colour: s0, s1 and so on, or "ref" for points of reference."""
    judged = {system: f"s{place % COLOURS}" for place, system in enumerate(scores.judged)}
    return {**dict.fromkeys(scores.systems, "ref"), **judged}


def chosen_clips(
    scores: Scores,
    suite: Suite | None,
    results: Sequence[Results],
    subject: str | None = None,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> Clips:
    """The clips to show, those of each first choice first, until the page is full.

    `subject`: the system whose clips are chosen, by default the first that is no point of reference. Raises
    SettingsError where there is no such system.
    """
    if subject is not None and subject not in scores.systems:
        raise SettingsError(
            f"the results hold no system {subject!r}; they hold {', '.join(scores.systems)}",
            settings=["subject"],
        )
    subject = subject or content.ordered_systems(scores)[0]
    by_mode = {mode: choices(scores, mode, subject) for mode in scores.modes}
    if suite is None:
        return Clips(subject, by_mode, {}, ("The suite's folder is not there, so there is no clip to show.",))
    wanted: dict[tuple[str, str], Any] = {
        (mode, choice.pair.name): choice.pair for mode in scores.modes for choice in by_mode[mode]
    }
    cases = {case.name: case for case in suite.cases(scores.run.protocol, [name for _, name in wanted])}
    shown: dict[tuple[str, str], ShownClip] = {}
    remarks, size = [], 0
    for place, ((mode, name), pair) in enumerate(wanted.items()):
        advance(place, len(wanted))
        if size > BUDGET:
            remarks.append(f"{name} is left out: the page would be too large.")
            continue
        try:
            clip = shown_clip(cases[name], pair, scores, results)
        except (UserError, OSError) as reason:
            remarks.append(f"{name} cannot be shown: {reason}")
            continue
        shown[mode, name] = clip
        size += len(clip.video)
    advance(len(wanted), len(wanted))
    return Clips(subject, by_mode, shown, tuple(remarks))


def _text(name: str) -> str:
    """A file of the template's folder, our own and safe to stand in the page as it is."""
    from markupsafe import Markup

    return Markup((files(__package__) / "template" / name).read_text(encoding="utf-8"))
