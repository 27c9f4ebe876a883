"""Packs: a portrait's expressions as stickers, with all that a service wants beside them."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from textwrap import fill

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from followyouremoji.errors import advice_on_memory
from followyouremoji.face.motion import Motion
from followyouremoji.files import atomic_output
from followyouremoji.media.kinds import Size
from followyouremoji.media.pictures import contact_sheet, on_background, resize_picture, write_picture
from followyouremoji.requests.animation import GPU_MEMORY, GPU_SETTINGS, load_animator
from followyouremoji.requests.bundled import portrait_path
from followyouremoji.requests.driving import Driving
from followyouremoji.requests.events import Note, OnEvent, ignore
from followyouremoji.requests.memory import Load
from followyouremoji.stickers.checking import read_frames
from followyouremoji.stickers.composing import Box, opaque_box
from followyouremoji.stickers.encoding import StickerError, write_sticker
from followyouremoji.stickers.making import Maker, StickerOutcome, by_timing, drawn_captions, opened
from followyouremoji.stickers.motions import expression_loop, fitted
from followyouremoji.stickers.request import Closing, PackRequest
from followyouremoji.stickers.services import SERVICES, IconFormat

SHEET, TILE, COLUMNS = "contact_sheet.png", 128, 6
CLOSING: Closing = "blend"
RATE = 25.0  # frames a second, unless others are asked for
GROUND = (190, 198, 208)
"""Behind the stickers of a contact sheet: white outlines and dark hair show on it."""

EMOJIS = {
    "neutral": "😐", "smile": "🙂", "grin": "😁", "laugh": "😆", "sad": "😢", "angry": "😠", "surprised": "😮",
    "afraid": "😨", "disgusted": "🤢", "wink_left": "😉", "wink_right": "😉", "eyes_closed": "😌", "kiss": "😘",
    "pout": "🥺", "smirk_left": "😏", "smirk_right": "😏", "frown": "🙁", "brows_up": "😯", "one_brow_up": "🤨",
    "cross_eyed": "🤪", "look_left": "👀", "look_right": "👀", "look_up": "🙄", "look_down": "😔", "jaw_open": "😦",
    "shout": "😡", "oh": "😗", "teeth": "😬", "puff": "😤", "mouth_left": "😕", "mouth_right": "😕", "sleepy": "😪",
}  # fmt: skip
"""What services file each expression under."""

UPLOADING = {
    "telegram": "Open a chat with @Stickers and send /newvideo and the pack's name. Send each sticker as a file, and after "
    "it the emoji that names.txt gives. Then send /publish, icon.png as a file, and a short name for the pack's link.",
    "whatsapp": "WhatsApp takes packs from apps. Put this folder's files into a folder named 1 in app/src/main/assets of the "
    "sample app (github.com/WhatsApp/stickers), and contents.json beside that folder; fill in its publisher, and build the app. "
    "A single sticker can be sent as soon as an app that makes stickers has imported its file.",
    "signal": "In Signal Desktop choose File, Create/upload sticker pack, and drop the stickers there. Give each the emoji "
    "that names.txt has for it, then the pack's title and author.",
    "discord": "In your server's settings choose Stickers, Upload sticker. Names and the related emoji are in names.txt.",
    "discord-emoji": "In your server's settings choose Emoji, Upload emoji. Animated emoji need Nitro to be used.",
    "slack": "In the menu of your workspace choose Customize workspace, Add custom emoji. Upload each file, and give it the "
    "name that it has here.",
    "imessage": "In Xcode make a Sticker Pack App and drag the stickers into its Stickers.xcstickers. Its icons are yours to "
    "draw. Without Xcode: send a file to yourself, and drag it onto a message.",
    "line": "In LINE Creators Market make a new set of animated stickers for as many as there are here, and upload the zip "
    "file. Title and description are asked for there.",
}
BY_HAND = "Send the files as any picture."


class PackOutcome(BaseModel):
    """A pack for each service, in a folder of its own; `seconds` that all of it took."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    packs: dict[str, tuple[StickerOutcome, ...]]
    seconds: float


def make_pack(request: PackRequest, on_event: OnEvent = ignore, load: Load = load_animator) -> PackOutcome:
    """Make a portrait's expressions as a pack of stickers for each service of a request, telling what happens.

    Of each service there are a folder and a zip file of it, with a contact sheet, the pack's icons, emoji and names,
    and a README.txt on uploading. All of it appears at once, or nothing does. `load` gives the model.

    Raises UserError for whatever cannot be used, and where a limit cannot be met; and what `on_event` raises.
    """
    started = time.monotonic()
    title = portrait_path(request.portrait).stem
    folder = request.path or Path(f"{title}_stickers")
    chosen = {service: expressions_for(request, service) for service in request.services}
    for service, names in chosen.items():
        if left_out := request.expressions[len(names) :]:
            sentence = f"A pack for {service} has {len(names)} stickers: {', '.join(left_out)} are left out."
            on_event(Note("left_out", sentence, ("expressions",)))
    captions = drawn_captions(request)
    with (
        advice_on_memory(GPU_MEMORY, *GPU_SETTINGS),
        atomic_output(folder, request.overwrite, StickerError, entries=is_of_pack) as temporary,
    ):
        rate = request.settings.frame_rate or RATE
        motions = {name: expression_loop(name, rate) for name in request.expressions}
        maker, _ = opened(request, Driving(motions[request.expressions[0]]), captions, on_event, load)
        writer = PackWriter(temporary, title, maker, chosen)
        try:
            writer.write_stickers(motions)
        except StickerError as error:  # whose file has its place only when all are written
            raise StickerError(str(error).replace(str(temporary), str(folder))) from error
        for service in request.services:
            writer.finish(service)
    packs = {
        service: tuple(
            one.model_copy(update={"path": folder / service / one.path.name}) for one in made.values()
        )
        for service, made in writer.made.items()
    }
    return PackOutcome(folder=folder, packs=packs, seconds=time.monotonic() - started)


def is_of_pack(name: str) -> bool:
    """Whether an entry of a folder can be of an earlier pack."""
    return name in SERVICES or (name.endswith(".zip") and name.removesuffix(".zip") in SERVICES)


def expressions_for(request: PackRequest, service: str) -> tuple[str, ...]:
    """The expressions of a service's pack, the last left out where it takes no such number. Raises StickerError where
    there are too few."""
    pack, given = SERVICES[service].pack, request.expressions
    if pack is None:
        return given
    fitting = [count for count in pack.counts if count <= len(given)]
    if not fitting:
        raise StickerError(
            f"a pack for {service} has at least {min(pack.counts)} stickers, and {len(given)} are asked for: name more expressions",
            settings=("expressions",),
        )
    return given[: max(fitting)]


class PackWriter:
    """Writes a pack for each service into a folder; `made` are its stickers, by expression."""

    def __init__(self, folder: Path, title: str, maker: Maker, chosen: Mapping[str, tuple[str, ...]]) -> None:
        self.made: dict[str, dict[str, StickerOutcome]] = {service: {} for service in chosen}
        self._folder, self._title, self._maker, self._chosen = folder, title, maker, chosen
        for service in chosen:
            (folder / service).mkdir(parents=True)

    def write_stickers(self, motions: Mapping[str, Motion]) -> None:
        """Write the stickers and icons of all services. All show the same part of the portrait, so that the face keeps
        its size from sticker to sticker."""
        timings = by_timing(self._chosen, next(iter(motions.values())), CLOSING)
        prepared = {
            (name, timing): self._maker.prepare(fitted(motion, timing, CLOSING), CLOSING)
            for timing in timings
            for name, motion in motions.items()
        }
        box = opaque_box(seen for one in prepared.values() for seen in self._maker.reach(one))
        for number, name in enumerate(motions, 1):
            for timing, services in timings.items():
                wanted = [service for service in services if name in self._chosen[service]]
                if wanted:
                    what = f"{in_words(name)}, {number} of {len(motions)}"
                    frames = self._maker.frames(prepared[name, timing], what)
                for service in wanted:
                    path = self._folder / service / file_name(service, number, name, self._title)
                    self.made[service][name] = self._maker.write(frames, timing.rate, service, path, box)
                    if number == 1:
                        self._write_icons(service, frames, timing.rate, box)

    def _write_icons(self, service: str, frames: Sequence[np.ndarray], rate: float, box: Box) -> None:
        format = SERVICES[service]
        for icon in () if format.pack is None else format.pack.icons:
            path = self._folder / service / f"{icon.name}.png"
            if icon.animated:
                small = replace(format, size=icon.size, sides="exact", least_side=1, max_bytes=icon.max_bytes)
                composed = self._maker.composed(frames, format, icon.size, box)
                write_sticker(composed, rate, small, path, comment=self._maker.comment)
            else:
                (picture,) = self._maker.composed(frames[:1], format, icon.size, box)
                path.write_bytes(small_png(picture, icon))

    def finish(self, service: str) -> None:
        """Write what belongs to a pack beside its stickers, and the zip file of it."""
        folder, made = self._folder / service, self.made[service]
        names = [f"{one.path.name}\t{EMOJIS[name]}\t{in_words(name)}" for name, one in made.items()]
        texts = {"names.txt": "\n".join(names), "README.txt": self._readme(service)}
        if service == "whatsapp":
            texts["contents.json"] = self._contents(made)
        for name, text in texts.items():
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
        first = [
            on_background(resize_picture(read_frames(one.path)[0], tile(one.size)), GROUND)
            for one in made.values()
        ]
        write_picture(folder / SHEET, contact_sheet(first, COLUMNS), comment=self._maker.comment)
        # A clock that went back to before 1980 is no fault.
        zipped = zipfile.ZipFile(
            self._folder / f"{service}.zip", "w", zipfile.ZIP_STORED, strict_timestamps=False
        )
        with zipped as archive:
            for path in sorted(folder.iterdir()):
                if service != "line" or (path.suffix == ".png" and path.name != SHEET):
                    archive.write(path, path.name)

    def _readme(self, service: str) -> str:
        made = self.made[service].values()
        largest = max(one.bytes for one in made)
        limit = SERVICES[service].max_bytes
        facts = f"{len(made)} stickers for {SERVICES[service].title}; the largest file has {largest} bytes"
        facts += "." if limit is None else f" of {limit} that are allowed."
        return f"{self._title}\n\n{facts}\n\n{fill(UPLOADING.get(service, BY_HAND), 100)}"

    def _contents(self, made: Mapping[str, StickerOutcome]) -> str:
        """What WhatsApp's sample app reads of a pack."""
        stickers = [
            {"image_file": one.path.name, "emojis": [EMOJIS[name]], "accessibility_text": in_words(name)}
            for name, one in made.items()
        ]
        pack = {
            "identifier": re.sub(r"[^A-Za-z0-9_.-]", "_", self._title)[:100],
            "name": self._title[:128],
            "publisher": "",
            "tray_image_file": "tray.png",
            "image_data_version": "1",
            "avoid_cache": False,
            "animated_sticker_pack": True,
            "stickers": stickers,
        }
        return json.dumps({"sticker_packs": [pack]}, ensure_ascii=False, indent=2)


def file_name(service: str, number: int, name: str, title: str) -> str:
    """Of a sticker: as a service asks for it, and what becomes an emoji's name with the portrait's in it."""
    ending = SERVICES[service].ending
    if service == "line":
        return f"{number:02d}{ending}"
    if service in ("slack", "discord-emoji"):
        return f"{re.sub(r'[^a-z0-9_]', '_', title.lower())}_{name}{ending}"
    return f"{number:02d}_{name}{ending}"


def in_words(name: str) -> str:
    """An expression's name for people."""
    return name.replace("_", " ").capitalize()


def tile(size: Size) -> Size:
    """The size (width, height) of a sticker on a contact sheet."""
    scale = TILE / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def small_png(picture: np.ndarray, icon: IconFormat) -> bytes:
    """A picture uint8 (height, width, 4) as a PNG that an icon may be, in few colours where it has to. Raises
    StickerError where even that is too large."""
    image = Image.fromarray(picture)
    for colours in (None, 256, 64, 16):
        written = BytesIO()
        shown = image if colours is None else image.quantize(colours, Image.Quantize.FASTOCTREE)
        shown.save(written, "PNG", optimize=True)
        if written.tell() <= icon.max_bytes:
            return written.getvalue()
    raise StickerError(f"the pack's {icon.name}.png cannot be made as small as {icon.max_bytes} bytes")
