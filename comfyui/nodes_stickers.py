"""A node that makes a sticker for a messenger or chat."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import folder_paths
from comfy_api.latest import io, ui

from followyouremoji.animator import PortraitAnimator
from followyouremoji.face.motion import MOTION_ENDING
from followyouremoji.media.pictures import save_image
from followyouremoji.requests.events import Event, Progress
from followyouremoji.stickers.making import make_sticker
from followyouremoji.stickers.request import Closing, StickerLook, StickerRequest
from followyouremoji.stickers.services import SERVICES

from .host import in_words, on_device, output_path, watched
from .nodes_animation import Aligned, AlignedType
from .nodes_inputs import CATEGORY, ModelType
from .widgets import settings_of, widgets


class Sticker(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="FollowYourEmoji_Sticker",
            display_name="Sticker (Follow Your Emoji)",
            category=CATEGORY,
            description="Animates a portrait as a loop and writes it as a sticker within the limits of a service, into ComfyUI's "
            "output folder.",
            inputs=[
                ModelType.Input("model"),
                AlignedType.Input("aligned"),
                io.Combo.Input(
                    "service", options=list(SERVICES), default="telegram", tooltip="What the sticker is for."
                ),
                *widgets(StickerLook, "backdrop", "outline"),
                io.String.Input("caption", default="", tooltip="A short text below the face, in any script."),
                *widgets(StickerRequest, "closing"),
                io.String.Input("filename_prefix", default="stickers/FollowYourEmoji"),
            ],
            outputs=[io.String.Output("file", display_name="file")],
            is_output_node=True,
        )

    @classmethod
    @in_words
    def execute(
        cls,
        model: PortraitAnimator,
        aligned: Aligned,
        service: str,
        backdrop: str,
        outline: str,
        caption: str,
        closing: Closing,
        filename_prefix: str,
    ) -> io.NodeOutput:
        path, name = output_path(filename_prefix, SERVICES[service].ending)
        advance = watched()

        def tell(event: Event) -> None:
            done, steps = (event.done, event.total or event.done) if isinstance(event, Progress) else (0, 1)
            advance(done, steps)

        look = settings_of(
            StickerLook, {"backdrop": backdrop, "outline": outline}, caption=caption.strip() or None
        )
        with TemporaryDirectory(dir=folder_paths.get_temp_directory()) as folder, on_device(model):
            portrait, motion = Path(folder, "portrait.png"), Path(folder, f"motion{MOTION_ENDING}")
            save_image(portrait, aligned.chosen.portrait.layers)
            aligned.motion.save(motion)
            request = StickerRequest(
                portrait=str(portrait),
                driving=str(motion),
                services=(service,),
                look=look,
                face=aligned.chosen.face,
                alignment=aligned.alignment,
                closing=closing,
                path=path,
            )
            make_sticker(request, tell, lambda _: model)
        saved = ui.SavedResult(
            path.name, Path(name).parent.as_posix().removeprefix("."), io.FolderType.output
        )
        return io.NodeOutput(name, ui=ui.SavedImages([saved], is_animated=True))
