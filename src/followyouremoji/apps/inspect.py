"""`fye inspect`: what can be told of where files come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from followyouremoji.apps.help import examples

EPILOG = examples(
    "fye inspect me_smile.mp4  # its record, signature and watermark",
    "fye inspect *.png --json  # for programs",
    "fye inspect clip.mp4 --trust authorities.pem  # whose signatures count",
)


def inspect(
    files: Annotated[
        list[Path], typer.Argument(help="Pictures, clips, or folders of frames.", metavar="FILE...")
    ],
    trust: Annotated[
        Path | None,
        typer.Option(
            help="Certificates of authorities, PEM, whose word on a C2PA signer's name you take.",
            metavar="FILE",
            show_default="nobody's",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list with an entry a file.")] = False,
) -> None:
    """Tell where files come from, as far as that can be known, and how sure it is: the record in their metadata, the
    C2PA manifest and whether it holds, the invisible watermark and its probability of a false alarm."""
    from followyouremoji.apps.output import note, say
    from followyouremoji.errors import UserError
    from followyouremoji.inspection import inspect_file
    from followyouremoji.provenance.signing import authorities_of

    authorities = None if trust is None else authorities_of(trust)
    entries: list[dict[str, Any]] = []
    failed = False
    for file in files:
        try:
            entries.append(inspect_file(file, authorities).as_json())
        except UserError as error:
            failed = True
            entries.append({"file": str(file), "error": str(error)})
        if as_json:
            continue
        if "error" in entries[-1]:
            note(f"Error: {' '.join(entries[-1]['error'].split())}", style="red")
        else:
            say("\n".join([f"{file}:", *(f"  {sentence}" for sentence in entries[-1]["sentences"])]))
    if as_json:
        say(json.dumps(entries, indent=1))
    if failed:
        raise typer.Exit(2)  # as for bad input
