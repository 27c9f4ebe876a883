"""`fye bench weights`: the networks that measure, their licences, and fetching them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from followyouremoji.benchmark.metrics.published import PublishedNetwork

Download = Annotated[
    list[str] | None,
    typer.Option(
        "--download",
        metavar="NAME",
        help="Fetch this network; may be given several times.",
        show_default="they are listed",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before fetching.")]


def weights(download: Download = None, yes: Yes = False) -> None:
    """Show the networks that measure, which of them are there, and their licences; --download fetches one."""
    from followyouremoji.benchmark.metrics.published import NETWORKS, networks_folder
    from followyouremoji.errors import SettingsError

    if not download:
        print_networks()
        return
    by_name = {network.name: network for network in NETWORKS}
    if unknown := [name for name in download if name not in by_name]:
        raise SettingsError(f"there is no network {unknown[0]!r}; there are {', '.join(by_name)}")
    fetch_networks([by_name[name] for name in dict.fromkeys(download)], networks_folder(), yes)


def print_networks() -> None:
    from followyouremoji.apps.output import say, say_table
    from followyouremoji.benchmark.metrics.published import NETWORKS, networks_folder
    from followyouremoji.errors import WeightsError

    rows, folder, problems = [], networks_folder(), []
    for network in NETWORKS:
        try:
            there: str = network.state(folder)
        except WeightsError as error:
            there = "another file"
            problems.append(str(error))
        size = "" if network.size is None else f"{network.size / 1e6:.0f}"
        rows.append(
            (network.name, there, size, network.commercial, ", ".join(network.metrics), network.licence)
        )
    say_table(("name", "there", "MB", "commercial", "columns", "licence"), rows)
    say(f"\nThey lie in {folder}. Whether their licences allow your use is for you to check.")
    for problem in problems:
        say(problem)


def fetch_networks(networks: list[PublishedNetwork], folder: Path, yes: bool) -> None:
    """Say what each is, ask, and fetch. Nothing is fetched unless all can be."""
    from followyouremoji.apps.output import say
    from followyouremoji.benchmark.metrics.published import fetch_network
    from followyouremoji.errors import WeightsError

    for network in networks:
        if network.sha256 is None:
            raise WeightsError(
                f"{network.title} is not fetched for you: {network.how_to_get}. Put it at {folder / network.file}"
            )
        say(f"{network.name}: {network.title}, {network.source}")
        say(f"    {network.about}")
        say(f"    {network.url}")
    if not yes:
        typer.confirm("Do these licences allow your use, and shall they be fetched?", abort=True)
    for network in networks:
        say(f"{fetch_network(network, folder)}: ready; it measures {', '.join(network.metrics)}.")
