"""What results say: tables, and one HTML page that stands alone.

`scores` makes arrays of the rows of a store, `content` tables of them, `plots` what is drawn, `clips` the videos, and
`page` the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from followyouremoji.benchmark.metrics import METRICS
from followyouremoji.benchmark.report import content
from followyouremoji.benchmark.report.page import as_html, chosen_clips
from followyouremoji.benchmark.report.scores import Scores
from followyouremoji.benchmark.store import Results
from followyouremoji.benchmark.suite import Suite
from followyouremoji.benchmark.tables import as_latex, as_markdown
from followyouremoji.errors import DataError

LATEX_HEAD = "% Needs \\usepackage{booktabs}. Best in bold, second best underlined; small: 95 % bootstrap intervals.\n% Not measured:\n"


def compact_table(results: Results) -> str:
    """The figures of results for a terminal: a line a metric, a column a system, the best marked with a star. Raises
    DataError where there are none."""
    return content.compact_table(Scores.of([results], METRICS))


def report_texts(
    results: Sequence[Results],
    subject: str | None = None,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> dict[str, str]:
    """The report by the ending of its file: ".html", ".md" and ".tex".

    Parameters
    ----------
    results : one or several, of the same suite and protocol.
    subject : the system whose best, median and worst clips the page shows; by default the first that is no baseline.

    Raises
    ------
    DataError : results of another suite or protocol, without rows, or with two systems of one name.
    SettingsError : there is no system `subject`.
    """
    scores = Scores.of(results, METRICS)
    suite = suite_of(results)
    clips = chosen_clips(scores, suite, results, subject, advance)
    tables = content.tables_of(scores)
    listed = tables.listed()
    return {
        ".html": as_html(scores, suite, clips, tables),
        ".md": _head(scores) + "\n".join(map(as_markdown, listed)),
        ".tex": LATEX_HEAD + _not_measured(scores, "% ") + "\n" + "\n".join(map(as_latex, listed)),
    }


def suite_of(results: Sequence[Results]) -> Suite | None:
    """The suite that results were measured on, where it lies; None where it is gone or has changed."""
    for one in results:
        try:
            suite = Suite.read(Path(one.run.suite_folder))
            if suite.fingerprint == one.run.fingerprint:
                return suite
        except (DataError, OSError):
            continue
    return None


def _head(scores: Scores) -> str:
    protocol = scores.run.protocol
    networks = ", ".join(protocol.networks) or "none"
    versions = ", ".join(f"{name} {version}" for name, version in protocol.versions.items())
    missing = _not_measured(scores, "- ")
    return (
        f"# {scores.run.suite}\n\n"
        f"EmojiBench++, {protocol.size}x{protocol.size} pixels, at most {protocol.frames} frames of a clip. "
        f"Reference: {protocol.reference}. Crop: {protocol.crop}. Detector: {protocol.detector}. Networks: {networks}. "
        f"Suite {scores.run.fingerprint[:12]}. Versions: {versions}.\n\n"
        + (f"Not measured:\n\n{missing}\n" if missing else "")
    )


def _not_measured(scores: Scores, before: str) -> str:
    """A line for each metric that no system has."""
    return "".join(f"{before}{one.metric.title}: {one.reason}\n" for one in content.missing_metrics(scores))
