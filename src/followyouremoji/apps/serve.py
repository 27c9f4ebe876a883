"""`fye serve`: the HTTP API that takes jobs, and the keys of its clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.job_server.keys import Keys, Limits
from followyouremoji.job_server.settings import ServerSettings
from followyouremoji.requests.request import ModelChoice

SERVE = examples(
    "fye serve  # on this machine, at http://127.0.0.1:8000",
    "fye serve --weights released --device cuda:0,cuda:1  # two workers",
    "fye serve key add app --jobs-a-day 500  # prints a key",
    "fye serve --host 0.0.0.0  # for others too, once there is a key",
    "fye serve --store s3://bucket/results  # results in an object store",
)

serve_app = typer.Typer(no_args_is_help=False)
key_app = typer.Typer(
    no_args_is_help=True,
    help="Keys of clients: each has a name and limits.",
    epilog=examples("fye serve key add app", "fye serve key list", "fye serve key remove app"),
)
serve_app.add_typer(key_app, name="key")

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="The server's folder.", show_default="serve in the cache folder"),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the key: letters, digits, dots and dashes.")]


@serve_app.callback(invoke_without_command=True, epilog=SERVE)
@choices.expanded
def serve(context: typer.Context, settings: ServerSettings, model: ModelChoice) -> None:
    """Serve an HTTP API that takes jobs, does them and gives the results. Ctrl-C ends it."""
    if context.invoked_subcommand is not None:
        return
    from followyouremoji.apps.output import note, say
    from followyouremoji.errors import SettingsError
    from followyouremoji.serving import address_of, listen

    try:
        from followyouremoji.job_server.app import job_app, serve_jobs
        from followyouremoji.job_server.server import JobServer
    except ImportError as missing:
        raise SettingsError(
            f"the server needs more ({missing.name} is missing): pip install 'followyouremoji[server]'"
        ) from None
    with listen(settings.host, settings.port) as listening, JobServer(settings, model) as server:
        if not settings.local:
            note(
                f"Note: others reach the server at this machine's own name or address in place of {settings.host}. What they send, "
                "keys too, is not encrypted; put a proxy with https before it."
            )
        say(f"The server: {address_of(settings.host, listening)}  Ctrl-C ends it.")
        serve_jobs(job_app(server), listening)
    say(f"Ended. Jobs and results are kept in {settings.place}.")


@key_app.command(
    epilog=examples(
        "fye serve key add app",
        "fye serve key add app --jobs-waiting 20 --jobs-a-day 500 --job-megabytes 50",
    )
)
@choices.expanded
def add(name: Name, limits: Limits, folder: Folder = None) -> None:
    """Make a key, and print it: it is shown this once, and kept as a checksum."""
    from followyouremoji.apps.output import say

    place = ServerSettings(folder=folder).place
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    say(Keys(place).add(name, limits))


@key_app.command(name="list", epilog=examples("fye serve key list"))
def listed(folder: Folder = None) -> None:
    """Show the names of all keys, with their limits."""
    from followyouremoji.apps.output import say

    for client in Keys(ServerSettings(folder=folder).place).clients():
        limits = client.limits
        say(
            f"{client.name}: up to {limits.jobs_waiting} jobs waiting, {limits.jobs_a_day} a day, {limits.job_megabytes} MB a job"
        )


@key_app.command(epilog=examples("fye serve key remove app  # a running server knows at once"))
@choices.expanded
def remove(name: Name, folder: Folder = None) -> None:
    """Remove a key: who gives it is refused from now on. Its jobs go on."""
    Keys(ServerSettings(folder=folder).place).remove(name)
