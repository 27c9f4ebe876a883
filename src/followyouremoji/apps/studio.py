"""`fye studio`: the page where portraits are animated."""

from __future__ import annotations

from followyouremoji.apps import choices
from followyouremoji.requests.request import ModelChoice
from followyouremoji.studio.settings import StudioSettings


@choices.expanded
def studio(settings: StudioSettings, model: ModelChoice) -> None:
    """A page in the browser where portraits are animated. Ctrl-C ends it."""
    from followyouremoji.apps.output import say
    from followyouremoji.errors import SettingsError

    try:
        from followyouremoji.studio.server import studio_app
    except ImportError as missing:
        raise SettingsError(
            f"the studio needs Gradio ({missing.name} is missing): pip install 'followyouremoji[web]'"
        ) from None
    from followyouremoji.serving import address_of, listen, serve
    from followyouremoji.studio.studio import Studio

    with listen(settings.host, settings.port) as listening, Studio(settings, model) as opened:
        say(f"The studio: {address_of(settings.host, listening)}  Ctrl-C ends it.")
        serve(studio_app(opened), listening)
