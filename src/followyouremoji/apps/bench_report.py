"""`fye bench report`: what results say, as a page, as Markdown and as LaTeX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS",
            help="Folders that [bold]fye bench run[/] made; several only of the same suite, size and frames.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PAGE.html",
            help="The page; tables in Markdown and LaTeX are written beside it.",
            show_default="report.html in RESULTS",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(
            metavar="SYSTEM",
            help="The system whose best, median and worst clips the page shows.",
            show_default="the first that is no baseline",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the page of --output if it exists; report.html in RESULTS is always replaced.",
        ),
    ] = False,
) -> None:
    """Make one page of tables, plots and clips, a single file, and the tables as Markdown and LaTeX."""
    from contextlib import ExitStack

    from followyouremoji.apps.output import progress_bar, say
    from followyouremoji.benchmark.report import report_texts
    from followyouremoji.benchmark.store import Results
    from followyouremoji.errors import SettingsError
    from followyouremoji.files import AtomicOutput

    if out is not None and out.suffix != ".html":
        raise SettingsError(f"the page is a file that ends in .html, not {out}", settings=["output"])
    page = results[0] / "report.html" if out is None else out
    stores = [Results.read(folder) for folder in results]
    with ExitStack() as stack:
        outputs = {
            ending: stack.enter_context(
                AtomicOutput(page.with_suffix(ending), overwrite or out is None, SettingsError)
            )
            for ending in (".html", ".md", ".tex")
        }
        with progress_bar("clips") as advance:
            texts = report_texts(stores, subject, advance)
        for ending, output in outputs.items():
            try:
                output.temporary.write_text(texts[ending], encoding="utf-8")
            except OSError as reason:
                raise output.failure(reason) from reason
        for output in outputs.values():
            output.commit()
    say(
        f"{page}: {page.stat().st_size / 1e6:.1f} MB. Tables: {page.with_suffix('.md')}, {page.with_suffix('.tex')}"
    )
