"""`fye bench ablate`: Table 2 of the paper, trained at small scale and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ablate(
    configs: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIGS",
            help="Folder of the recipe and its ablations: configs/ablations of the repository.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for drawings, models and results.", metavar="OUT")
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Train this ablation alone, by its config's name; may be given again.", show_default="all"
        ),
    ] = None,
    suite: Annotated[
        str,
        typer.Option(
            help="What the models are measured on: a suite's name, see fye bench list, or its folder."
        ),
    ] = "drawn-mini",
    pairs: Annotated[
        int | None,
        typer.Option(help="Measure only so many pairs, spread over the suite.", show_default="all", min=1),
    ] = None,
    frames: Annotated[int, typer.Option(help="Most frames of a clip.", min=3)] = 16,
    size: Annotated[int, typer.Option(help="Side of the compared pictures, pixels.")] = 128,
    budget: Annotated[
        float,
        typer.Option(help="Factor on the training steps that the configs state: 0.5 trains half as long."),
    ] = 1.0,
    singles: Annotated[int, typer.Option(help="People drawn for the training pictures.", min=1)] = 600,
    clips: Annotated[int, typer.Option(help="People drawn for the training clips.", min=1)] = 60,
    processes: Annotated[
        int, typer.Option(help="Processes that draw and measure at once.", min=1, max=1024)
    ] = 1,
) -> None:
    """Train models that each lack one part of the method, measure them, and print the table beside the paper's.

    The full recipe and the models that differ from it in one switch learn from the same drawings, seeds and steps. What
    is done already is kept, and the same command goes on, also after Ctrl-C; another budget needs another OUT.
    """
    from followyouremoji.apps.output import progress_bar, say
    from followyouremoji.benchmark.ablations import (
        Interrupted,
        Scale,
        comparison,
        read_ablations,
        train_all,
    )
    from followyouremoji.benchmark.metrics import METRICS
    from followyouremoji.benchmark.metrics.networks import Networks
    from followyouremoji.benchmark.named import find_suite
    from followyouremoji.benchmark.protocol import Protocol
    from followyouremoji.benchmark.report.scores import Scores
    from followyouremoji.benchmark.run import run_benchmark, spread_pairs
    from followyouremoji.executors import Processes
    from followyouremoji.files import atomic

    scale = Scale(budget, singles=singles, clips=clips)
    protocol = Protocol.here(size, frames)
    ablations = read_ablations(configs, only or ())
    with Processes(processes) as executor:
        try:
            systems = train_all(ablations, configs, output, scale, executor, say)
        except Interrupted as left:
            say(str(left))
            raise typer.Exit(left.outcome.exit_code) from None
        with progress_bar("drawing the suite") as advance:
            there = find_suite(suite, executor, advance)
        chosen = None if pairs is None else spread_pairs(there, pairs)
        with progress_bar("results") as advance:
            ran = run_benchmark(
                there,
                ["copy", *systems],
                output / "results",
                executor,
                protocol,
                Networks(),
                advance,
                pairs=chosen,
            )
    table = comparison(ablations, Scores.of([ran.results], METRICS))
    with atomic(output / "table2.md") as temporary:
        temporary.write_text(table + "\n", encoding="utf-8")
    say(f"{table}\n\n{output / 'table2.md'}; for all figures: fye bench report {output / 'results'}")
