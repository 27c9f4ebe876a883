"""`fye bench`: EmojiBench++, the benchmark of portrait animators. Each command stands in a file of its own."""

from __future__ import annotations

import typer

from followyouremoji.apps.bench_ablate import ablate
from followyouremoji.apps.bench_report import report
from followyouremoji.apps.bench_run import run
from followyouremoji.apps.bench_study import study, study_results
from followyouremoji.apps.bench_suites import build, check, list_
from followyouremoji.apps.bench_weights import weights
from followyouremoji.apps.help import examples

bench_app = typer.Typer(
    no_args_is_help=True,
    help="EmojiBench++: measure any portrait animator as the papers do.",
    epilog=examples(
        "fye bench run drawn-mini --processes 2  # the bundled model, two baselines",
        "fye bench report drawn-mini-results  # tables, plots and clips on one page",
        "fye bench build my-suite --portraits faces/ --clips videos/  # on your files",
    ),
)


@bench_app.callback()
def bench() -> None:
    pass


bench_app.command(
    epilog=examples(
        "fye bench run drawn-mini --processes 2",
        "fye bench run drawn-mini --system bundled --system mine=videos:results/",
        'fye bench run drawn-mini --system "slow=bundled?steps=30" --pairs 4',
    )
)(run)
bench_app.command(
    epilog=examples(
        "fye bench report drawn-mini-results",
        "fye bench report results1 results2 -o page.html --subject bundled",
    )
)(report)
bench_app.command("list", epilog=examples("fye bench list", "fye bench list my-suite"))(list_)
bench_app.command(
    epilog=examples(
        "fye bench build my-suite --portraits faces/ --clips videos/ --cross 3",
        "fye bench build my-suite --clips videos/ --licence CC-BY-4.0 --size 512",
    )
)(build)
bench_app.command(epilog=examples("fye bench check my-suite"))(check)
bench_app.command(epilog=examples("fye bench weights  # lists them", "fye bench weights --download vgg16"))(
    weights
)
bench_app.command(
    epilog=examples(
        "fye bench study drawn-mini-results",
        "fye bench study drawn-mini-results --host 0.0.0.0 --pairs 20",
    )
)(study)
bench_app.command(
    epilog=examples(
        "fye bench study-results drawn-mini-results",
        "fye bench study-results drawn-mini-results --csv ranks.csv",
    )
)(study_results)
bench_app.command(
    epilog=examples(
        "fye bench ablate configs/ablations -o out --budget 0.5  # hours",
        "fye bench ablate configs/ablations -o trial --budget 0.002 --singles 10",
    )
)(ablate)
