"""`fye studio`: the page where portraits are animated."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.requests.request import ModelChoice
from followyouremoji.studio.settings import StudioSettings

EPILOG = examples(
    "fye studio --open  # on this machine, at http://127.0.0.1:7860",
    "fye studio --weights released  # for photographs, with a GPU",
    "fye studio --host 0.0.0.0  # for others too: set FYE_STUDIO_PASSWORD first",
)


@choices.expanded
def studio(
    settings: StudioSettings,
    model: ModelChoice,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Open a page where portraits are animated in the browser. Ctrl-C ends it."""
    from followyouremoji.apps.output import note, say
    from followyouremoji.errors import SettingsError
    from followyouremoji.serving import address_of, listen, serve

    if model.weights != "bundled":  # which the page does not wait for; what imports torch comes later
        from followyouremoji.checkpoints.sources import find_checkpoint

        find_checkpoint(model.weights)
    if model.decoder != "full":
        from followyouremoji.checkpoints.decoders import find_decoder

        find_decoder(model.decoder)
    asks = " It asks for the password." if settings.asked_password is not None else ""
    with listen(settings.host, settings.port) as listening:
        try:
            from followyouremoji.studio.server import studio_app
        except ImportError as missing:
            raise SettingsError(
                f"the studio needs Gradio ({missing.name} is missing): pip install 'followyouremoji[web]'"
            ) from None
        from followyouremoji.studio.studio import Studio

        with Studio(settings, model) as opened:
            app = studio_app(opened)
            address = settings.public_url or address_of(settings.host, listening)
            if not settings.local and settings.public_url is None:
                note(
                    f"Note: others reach the studio at this machine's own name or address in place of {settings.host}. What they send is not "
                    "encrypted; put a proxy with https before it where that matters."
                )
            say(f"The studio: {address} {asks} Ctrl-C ends it.")
            if show:
                import webbrowser

                webbrowser.open(address)
            serve(app, listening)
    say(f"Ended. Results are kept in {settings.place}.")
    os._exit(0)  # all is cleared up; a thread that a network runs in would be torn down in the middle of it
