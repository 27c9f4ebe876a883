"""`fye bench`: EmojiBench++, the benchmark of portrait animators. Each command stands in a file of its own."""

from __future__ import annotations

import typer

from followyouremoji.apps.bench_ablate import ablate
from followyouremoji.apps.bench_report import report
from followyouremoji.apps.bench_run import run
from followyouremoji.apps.bench_study import study, study_results
from followyouremoji.apps.bench_suites import build, check, list_
from followyouremoji.apps.bench_weights import weights

bench_app = typer.Typer(
    no_args_is_help=True,
    help="EmojiBench++: measure any portrait animator as the papers do.",
    epilog="fye bench run drawn-mini --processes 2  [dim]the bundled model and two baselines[/]\n\n"
    "fye bench run drawn-mini --system bundled --system mine=videos:results/ -o compared/\n\n"
    "fye bench report compared/",
)


@bench_app.callback()
def bench() -> None:
    pass


# Suites.
bench_app.command("build")(build)
bench_app.command("check")(check)
bench_app.command("list")(list_)
# Running.
bench_app.command("run")(run)
bench_app.command("weights")(weights)
bench_app.command("ablate")(ablate)
# Reading.
bench_app.command("report")(report)
bench_app.command("study")(study)
bench_app.command("study-results")(study_results)
