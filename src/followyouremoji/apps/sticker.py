"""`fye sticker`: a portrait and a motion as the sticker files of messengers, one by one or as a pack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from followyouremoji.apps import choices
from followyouremoji.apps.help import examples
from followyouremoji.options import options
from followyouremoji.stickers.request import PackRequest, StickerRequest

if TYPE_CHECKING:
    from followyouremoji.stickers.making import StickerOutcome

FAILED = 2  # exit code; of a sticker that fails, too

LEFT_OUT = (
    "loop",
    "crop",
    "paste_back",
    "window",
    "long_clips",
    "batch",
    "shared_noise",
    "compiled",
)
"""Of an animation's options, those that mean little for some two seconds of a head."""

STICKER, PACK = (
    tuple(name for name, _ in options(kind) if name not in (*LEFT_OUT, *left_out))
    for kind, left_out in ((StickerRequest, ()), (PackRequest, ("driving_face", "neutral")))
)


class WithDefault(typer.core.TyperGroup):
    """A group whose first command need not be named: `fye sticker ada.png smile` is `fye sticker make ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, list(args) if named or not args else ["make", *args])


sticker_app = typer.Typer(
    cls=WithDefault,
    no_args_is_help=True,
    help="Stickers for messengers: [bold]fye sticker PORTRAIT DRIVING --for SERVICE[/] makes one.",
    epilog=examples(
        "fye sticker me.jpg wink_left --for telegram  # an expression by its name",
        "fye sticker me.jpg talk.mp4 --start 2s --for whatsapp --for signal",
        "fye sticker pack me.jpg --for telegram  # eighteen expressions",
        more="All options: fye sticker make --help.",
    ),
)


@sticker_app.command(
    epilog=examples(
        "fye sticker make me.jpg laugh --for telegram  # make may be left out",
        "fye sticker me.jpg wink_left --for slack --caption OK --no-outline",
        "fye sticker me.jpg talk.mp4 --start 2s --for whatsapp --for signal -o stickers",
        "fye sticker me.jpg bundled:hello --for gif --background keep --loop pingpong",
    )
)
@choices.expanded
def make(request: Annotated[StickerRequest, STICKER]) -> None:
    """Make stickers of PORTRAIT that moves as DRIVING does. The word make may be left out."""
    from followyouremoji.apps.output import note, say
    from followyouremoji.apps.screen import Screen
    from followyouremoji.stickers.making import make_sticker

    with Screen() as screen:
        outcome = make_sticker(request, screen)
    for made in outcome.made:
        say(summary(made))
    for service, why in outcome.failed.items():
        note(f"Error: {service}: {' '.join(why.split())}", style="red")
    if outcome.failed:
        raise typer.Exit(FAILED)


@sticker_app.command(
    epilog=examples(
        "fye sticker pack me.jpg --for telegram  # into me_stickers/telegram",
        "fye sticker pack me.jpg --for whatsapp --only smile --only laugh --only kiss",
    )
)
@choices.expanded
def pack(request: Annotated[PackRequest, PACK]) -> None:
    """Make a pack of stickers of PORTRAIT, one for each expression, with icons, names and how to upload it."""
    from followyouremoji.apps.output import say
    from followyouremoji.apps.screen import Screen
    from followyouremoji.stickers.pack import make_pack

    with Screen() as screen:
        outcome = make_pack(request, screen)
    for service, stickers in outcome.packs.items():
        say(f"{outcome.folder / service}: {pack_summary(stickers)}")


def summary(made: StickerOutcome) -> str:
    """What was made, as a line."""
    size = f"{made.size[0]}x{made.size[1]}"
    what = f"{made.seconds:.1f} s at {made.frame_rate:.3g} frames a second"
    return f"{made.path}: {made.service}, {size}, {what}, {weight(made)}, {made.quality}."


def weight(made: StickerOutcome) -> str:
    """Its size on the disk, and the limit."""
    limit = "" if made.limit is None else f" of {made.limit / 1000:.0f}"
    return f"{made.bytes / 1000:.0f}{limit} kB"


def pack_summary(stickers: Sequence[StickerOutcome]) -> str:
    """What a pack holds, in a line."""
    heaviest = max(stickers, key=lambda one: one.bytes)
    size = f"{heaviest.size[0]}x{heaviest.size[1]}"
    return f"{len(stickers)} stickers, {size}, the largest {weight(heaviest)}."
