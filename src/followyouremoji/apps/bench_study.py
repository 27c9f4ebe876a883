"""`fye bench study` and `fye bench study-results`: people rank results, blind, and what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from followyouremoji.benchmark.store import Run
    from followyouremoji.benchmark.study.answers import Answers

ResultsFolder = Annotated[
    Path,
    typer.Argument(metavar="RESULTS", help="A folder that fye bench run made, with two systems or more."),
]
Database = Annotated[
    Path | None,
    typer.Option(
        "--db", metavar="FILE", help="File in which the answers are kept.", show_default="RESULTS/study.db"
    ),
]


def study(
    results: ResultsFolder,
    port: Annotated[
        int, typer.Option(help="The page's port; 0 takes one that is free.", min=0, max=65535)
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets others in your network take part.")
    ] = "127.0.0.1",
    pairs: Annotated[int, typer.Option(help="How many pairs each visitor is asked about.", min=1)] = 10,
    db: Database = None,
) -> None:
    """Open a web page where people rank the systems' results, as in the paper's user study.

    They rank them blind and in random order, for expression, identity and overall quality. Answers are saved at once.
    Several people may take part at a time, and an interrupted visit goes on where it stopped. Ctrl-C ends the server;
    the same command goes on with the study.
    """
    from followyouremoji.apps.output import note, progress_bar, say
    from followyouremoji.benchmark.store import Results
    from followyouremoji.benchmark.study.material import Material
    from followyouremoji.errors import SettingsError

    try:
        from followyouremoji.benchmark.study.server import study_app
        from followyouremoji.serving import address_of, is_local, listen, serve
    except ImportError as missing:
        raise SettingsError(
            f"the study's page needs FastAPI and uvicorn ({missing.name} is missing): pip install 'followyouremoji[bench]'"
        ) from None
    with listen(host, port) as listening:
        material = Material.of(Results.read(results))
        with answers_of(results, db, material.results.run, create=True) as answers:
            names, folder = answers.media_names(material.files), answers.path.with_suffix(".media")
            with progress_bar("clips") as advance:
                shown, problems = material.write(names, folder, advance)
            for problem in problems:
                note(f"Note: {problem}")
            if not is_local(host):
                note(
                    f"Note: whoever can reach this machine can take part, at its own name or address in place of {host}; "
                    "what they send is not encrypted."
                )
            say(
                f"{len(shown)} pairs, each made by {len(material.systems)} systems: {address_of(host, listening)}  Ctrl-C ends it; answers are kept in {answers.path}"
            )
            serve(study_app(answers, shown, folder, pairs), listening)
    say(f"Ended. Every answer is in {answers.path}; the results: fye bench study-results {results}")


def study_results(
    results: ResultsFolder,
    db: Database = None,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write every ranking as CSV.", show_default="none"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the CSV if it exists.")] = False,
) -> None:
    """Show what came of a study: average ranks with intervals, the visitors' agreement, the paper's ranks beside them.

    Also while the study is running."""
    from followyouremoji.apps.output import say
    from followyouremoji.benchmark.store import Results
    from followyouremoji.benchmark.study.figures import Study
    from followyouremoji.errors import DataError

    with answers_of(results, db, Results.read(results).run, create=False) as answers:
        came = Study.of(answers)
    if not came.visits:
        raise DataError(f"{answers.path} holds no answer yet")
    if csv is not None:
        came.write_csv(csv, overwrite)
    say(came.text())
    if csv is not None:
        say(f"\n{csv}: {came.rankings} rankings.")


def answers_of(results: Path, db: Path | None, run: Run, create: bool) -> Answers:
    """The answers of the study on a folder of results."""
    from followyouremoji.benchmark.study.answers import Answers
    from followyouremoji.benchmark.study.material import study_fingerprint, system_names

    return Answers(db or results / "study.db", study_fingerprint(run), system_names(run), create)
