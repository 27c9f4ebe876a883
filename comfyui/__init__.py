"""Nodes of Follow Your Emoji for ComfyUI. This folder lies in its `custom_nodes`; the package `followyouremoji` does
the work."""

from comfy_api.latest import ComfyExtension, io

from . import nodes_animation, nodes_inputs, nodes_stickers

NODES: list[type[io.ComfyNode]] = [
    nodes_inputs.LoadModel,
    nodes_inputs.ExamplePortrait,
    nodes_inputs.FindPortrait,
    nodes_inputs.MotionFromImages,
    nodes_inputs.LoadMotion,
    nodes_inputs.SaveMotion,
    nodes_animation.Align,
    nodes_animation.Expression,
    nodes_animation.PosePortrait,
    nodes_animation.Animate,
    nodes_stickers.Sticker,
]


class FollowYourEmojiExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES


async def comfy_entrypoint() -> FollowYourEmojiExtension:
    return FollowYourEmojiExtension()
