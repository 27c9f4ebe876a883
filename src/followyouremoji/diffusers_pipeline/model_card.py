"""The model card of a diffusers folder: a page for people, with the entries at its top that the hub reads."""

from __future__ import annotations

from huggingface_hub import ModelCardData

from followyouremoji.checkpoints.config import ModelConfig

LICENCES = {"bundled": "apache-2.0"}
"""Of models by name; whoever publishes another one has to name its licence."""

TEMPLATE = """---
{entries}
---

# {name}

A model of [Follow Your Emoji](https://arxiv.org/abs/2406.01900): it animates a portrait with the expressions of a driving video. {provenance}

## Use

With the Python packages `followyouremoji` and, for the video, `imageio-ffmpeg`:

```python
from diffusers.utils import export_to_video
from followyouremoji import FollowYourEmojiPipeline

pipe = FollowYourEmojiPipeline.from_pretrained("{source}")
result = pipe("portrait.png", "driving.mp4")
export_to_video(result.frames[0], "animated.mp4", fps=round(result.frame_rate))
```

## What it makes

| | |
|---|---|
| pictures | {size} x {size} pixels, {framing} |
| steps | {steps} |
| guidance scale | {guidance} |
| frames at once | {window} |
| long clips | {long_clips} |

## Licence

{licence}

Animate people only with their consent, and say of what you publish that it is generated.
"""


def model_card(config: ModelConfig, repository: str | None = None) -> str:
    """The text of a README.md for the hub.

    `repository` is its name there, such as "someone/a-model"; None where it is not known yet.
    """
    licence = LICENCES.get(config.name)
    entries = ModelCardData(
        license=licence,
        library_name="diffusers",
        pipeline_tag="image-to-video",
        tags=["followyouremoji", "portrait-animation", "diffusers:FollowYourEmojiPipeline"],
    )
    return TEMPLATE.format(
        entries=entries.to_yaml(),
        name=config.name,
        provenance=config.provenance or "Its origin is not stated.",
        source=repository or "path/to/this/folder",
        size=config.picture_size,
        framing="the face alone"
        if config.framing == "window"
        else "the whole picture or a square around the face",
        steps=config.steps,
        guidance=f"{config.guidance_scale:g}" if config.guided else "1 (it takes no guidance)",
        window=config.window,
        long_clips="keyframes first, then what lies between"
        if config.makes_keyframes
        else "overlapping windows",
        licence=f"{licence}."
        if licence
        else "None is stated yet: name one as `license` at the top before this is published.",
    )
