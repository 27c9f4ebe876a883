"""`fye bench run`: systems measured on a suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.errors import SettingsError
from followyouremoji.executors.settings import ClusterChoice

if TYPE_CHECKING:
    from followyouremoji.benchmark.metrics.networks import Networks
    from followyouremoji.benchmark.suite import Suite

DEFAULT_SYSTEMS = ["bundled", "copy", "mesh"]
SHOWN = 10  # failures


@choices.expanded
def run(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A suite's name, see fye bench list, or its folder.")
    ],
    system: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SYSTEM",
            help="What is measured; may be given again. A model (bundled, released or a folder), also with settings such as "
            "[bold]bundled?steps=30&speed=exact[/]; [bold]copy[/], [bold]warp[/] or [bold]mesh[/], baselines without a network; "
            "[bold]videos:FOLDER[/], results of any other animator, a clip PAIR.mp4 for each pair; [bold]truth[/] or "
            "[bold]autoencoder:MODEL[/], the best that can be reached. NAME is what tables call it.",
            show_default=", ".join(DEFAULT_SYSTEMS),
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RESULTS",
            help="Folder for the results; a stopped run goes on there, and more systems can join.",
            show_default="SUITE-results",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Most frames of a clip, from its first.", min=3)] = 64,
    size: Annotated[
        int, typer.Option(help="Side of the pictures that are animated and compared, pixels.")
    ] = 256,
    pairs: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAMES",
            help="Measure only so many pairs, spread over the suite, or those named, with commas between them.",
            show_default="all",
        ),
    ] = None,
    processes: Annotated[int, typer.Option(help="Pairs worked on at once.", min=1, max=1024)] = 1,
    cluster: ClusterChoice = ClusterChoice(),  # noqa: B008
    networks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the published networks that measure, see fye bench weights.",
            show_default="that of the downloads",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="The file face_landmarker.task of Google: its 52 expression scores are compared too. Slower.",
            show_default="without scores",
        ),
    ] = None,
) -> None:
    """Animate every pair of SUITE with every system, and measure the results.

    A run that was stopped goes on with the same command, with the same figures in the end. A pair on which a system
    fails is listed and tried again by the next run; the others go on.
    """
    from followyouremoji.apps.output import note, progress_bar, say
    from followyouremoji.benchmark.metrics.networks import Networks
    from followyouremoji.benchmark.named import find_suite
    from followyouremoji.benchmark.protocol import Protocol
    from followyouremoji.benchmark.report import compact_table
    from followyouremoji.benchmark.run import run_benchmark
    from followyouremoji.benchmark.systems import make_system
    from followyouremoji.executors import Processes

    systems = system or DEFAULT_SYSTEMS
    for described in systems:
        make_system(described)  # a mistake is told before a suite is drawn
    found = Networks.found(networks)
    for line in found.notes:
        note(line)
    found.check()
    protocol = Protocol.here(size, frames, measuring(found, bundle))
    folder = results or Path(f"{Path(suite).resolve().name}-results")
    with cluster.workers() as there, Processes(processes) as here:
        executor = there or here
        with progress_bar("drawing the suite") as advance:
            found_suite = find_suite(suite, executor, advance)
        chosen = chosen_pairs(found_suite, pairs)
        with progress_bar("results") as advance:
            ran = run_benchmark(
                found_suite, systems, folder, executor, protocol, found, advance, pairs=chosen, bundle=bundle
            )
    for (name, remark), count in ran.remarks.items():
        note(f"{name}: {remark} ({count})")
    for name, pair, problem in ran.failures[:SHOWN]:
        note(f"{name} failed on {pair}: {problem}")
    if len(ran.failures) > SHOWN:
        note(f"... and {len(ran.failures) - SHOWN} more failures; the report lists them")
    if ran.measured or ran.kept:
        say(compact_table(ran.results))
    before = f", {ran.kept} were there before" if ran.kept else ""
    failed = f", {len(ran.failures)} failed; the same command tries them again" if ran.failures else ""
    say(
        f"{folder}: {ran.measured} results measured{before}{failed}. For the page of tables: fye bench report {folder}"
    )


def measuring(networks: Networks, bundle: Path | None) -> dict[str, str]:
    """SHA-256 of each network that measures. Raises SettingsError for a bundle that cannot be read."""
    from followyouremoji.files import checksum

    checksums = dict(networks.checksums)
    if bundle is not None:
        try:
            checksums["face_landmarker"] = checksum(bundle)
        except OSError as reason:
            raise SettingsError(f"{bundle} cannot be read ({reason.strerror}).") from None
    return checksums


def chosen_pairs(suite: Suite, text: str | None) -> list[str] | None:
    """Names of the pairs that a text means, a number or names; None for all. Raises SettingsError for none."""
    from followyouremoji.benchmark.run import spread_pairs

    if text is None:
        return None
    if not text.isdecimal():
        return [name.strip() for name in text.split(",")]
    return spread_pairs(suite, int(text))
