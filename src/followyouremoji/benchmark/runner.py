"""From names of suites and methods to a folder of tables, figures and pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from followyouremoji.benchmark import old_report as report
from followyouremoji.benchmark.methods import make_method
from followyouremoji.benchmark.scoring import MethodScores, identity_separation, score_method
from followyouremoji.benchmark.suites import SuiteSettings, drawn_suite
from followyouremoji.errors import SettingsError
from followyouremoji.executors import Executor, Local, Processes
from followyouremoji.portraits.styles import HELD_OUT_STYLES, STYLES

SUITES = ("self", "cross", "unseen", "unseen-cross")
"""Self- and cross-reenactment of identities never trained on; the same in styles that training leaves out."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Benchmark:
    """The methods to compare, the suites, and where results are written.

    Attributes
    ----------
    methods : see `methods.make_method`; the last of them that is a model is compared with all others in a table of its
        own.
    suites : of `SUITES`.
    cache_folder : for the drawn suites; any number of benchmarks may use the same.
    output : folder for the results. Results of the same methods on the same suites that are there are kept and not
        measured again.
    processes : of drawing and measuring.
    """

    methods: tuple[str, ...]
    output: Path
    cache_folder: Path
    suites: tuple[str, ...] = ("self", "cross")
    cases: int = 256
    size: int = 256
    processes: int = 1

    def __post_init__(self) -> None:
        if not self.methods:
            raise SettingsError("A benchmark needs at least one method.")
        names = [make_method(described).name for described in self.methods]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(
                    f"Two methods are called {name!r}; write LABEL=METHOD to tell them apart."
                )
        for suite in self.suites:
            suite_settings(suite, self.cases, self.size)


def suite_settings(name: str, cases: int, size: int) -> SuiteSettings:
    """The suite of a name in `SUITES`. Raises SettingsError for another name."""
    if name not in SUITES:
        raise SettingsError(f"There is no suite {name!r}; choose from {', '.join(SUITES)}.")
    styles = HELD_OUT_STYLES if name.startswith("unseen") else STYLES
    return SuiteSettings("cross" if name.endswith("cross") else "self", cases, size, styles)


def run_benchmark(benchmark: Benchmark, say: Say = print) -> dict[str, list[MethodScores]]:
    """Draw what is missing, measure what is missing, write and say the tables; the scores by suite."""
    with Local() if benchmark.processes <= 1 else Processes(benchmark.processes) as executor:
        return _run_on(executor, benchmark, say)


def _run_on(executor: Executor, benchmark: Benchmark, say: Say) -> dict[str, list[MethodScores]]:
    benchmark.output.mkdir(parents=True, exist_ok=True)
    everything: dict[str, Any] = {}
    results: dict[str, list[MethodScores]] = {}
    pages = []
    for name in benchmark.suites:
        settings = suite_settings(name, benchmark.cases, benchmark.size)
        say(f"{name}: {settings.cases} cases of {settings.size} pixels, suite {settings.fingerprint}")
        suite = drawn_suite(settings, benchmark.cache_folder, executor)
        shown = report.shown_cases(suite)
        folder = benchmark.output / name
        scores, folders = [], []
        for described in benchmark.methods:
            folders.append(folder / folder_name(make_method(described).name))
            scores.append(score_method(described, suite, folders[-1], executor, shown))
            say(f"  {scores[-1].name}: face L1 {scores[-1].mean('face'):.4f}")
        areas = identity_separation(suite)
        page = describe_suite(name, settings, scores, areas)
        say(f"\n{page}\n")
        pages.append(page)
        results[name] = scores
        everything[name] = {
            "suite": settings.fingerprint,
            "cases": settings.cases,
            "size": settings.size,
            "styles": list(settings.styles),
            "identity_separation": areas,
            "methods": report.as_json(scores),
        }
        report.write_sheet(benchmark.output / f"{name}.png", suite, folders, shown)
    (benchmark.output / "report.md").write_text("\n\n".join([*pages, report.legend()]) + "\n")
    (benchmark.output / "report.json").write_text(json.dumps(everything, indent=1))
    return results


def describe_suite(
    name: str, settings: SuiteSettings, scores: Sequence[MethodScores], areas: dict[str, float]
) -> str:
    """A suite's tables."""
    parts = [
        f"## {name}: {settings.cases} clips of {settings.size} pixels, styles {', '.join(settings.styles)}",
        report.score_table(scores),
        "Face L1 by style:",
        report.style_table(scores),
    ]
    judged = [one for one in scores if one.name not in ("truth",) and "alone" not in one.name]
    if len(judged) > 1:
        parts += ["Case by case, with 95 % confidence:", report.versus_table(judged[-1], judged[:-1])]
    shown = ", ".join(f"{area:.3f} within {what}" for what, area in areas.items() if area == area)
    parts.append(
        f"The identity column's statistics tell these portraits apart with an area under the ROC curve of {shown}."
    )
    return "\n\n".join(parts)


def folder_name(name: str) -> str:
    """A method's name as a folder's."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_") or "method"
