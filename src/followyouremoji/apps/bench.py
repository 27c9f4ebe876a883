"""`fye bench`: EmojiBench++, the benchmark of portrait animators. Each command stands in a file of its own."""

from __future__ import annotations

import typer

from followyouremoji.apps.bench_run import run

bench_app = typer.Typer(
    no_args_is_help=True,
    help="EmojiBench++: measure any portrait animator as the papers do.",
    epilog="fye bench run drawn-mini --processes 2  [dim]the bundled model and two baselines[/]\n\n"
    "fye bench run drawn-mini --system bundled --system mine=videos:results/ -o compared/",
)


@bench_app.callback()
def bench() -> None:
    pass


# Suites: build, check, list.
# Running:
bench_app.command("run")(run)
# Reading: report, study.
# Models: ablate, weights.
