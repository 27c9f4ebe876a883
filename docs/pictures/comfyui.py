"""Takes the pictures of the nodes for ComfyUI: `python docs/pictures/comfyui.py`, in the checkout, with the development
extras and `comfyui-frontend-package`.

ComfyUI's own page shows the example workflows and runs them, by the contract of the tests instead of ComfyUI. One
becomes the picture of the guide; of each the result becomes the small picture beside it, which ComfyUI shows in its
list of templates.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from tests.comfyui.comfy import Comfy, comfy_with
from tests.comfyui.conftest import PACK, WORKFLOWS
from tests.comfyui.page import opened_page, queued_prompt

GUIDE, SHOWN = Path(__file__).with_name("comfyui.webp"), "animate"
SMALL, MOMENT = 192, 0.3  # pixels a side, and of a clip how much has passed
PATIENCE = 300_000  # milliseconds
RUN = """async () => {
    const done = new Promise(end => window.app.api.addEventListener('executing', ({detail}) => detail === null && end()));
    await window.app.queuePrompt(0);
    await done;
}"""
FRAMED = """() => {
    const [left, top, right, bottom] = window.app.graph.nodes.reduce(([l, t, r, b], {boundingRect: [x, y, w, h]}) =>
        [Math.min(l, x), Math.min(t, y), Math.max(r, x + w), Math.max(b, y + h)], [1e9, 1e9, -1e9, -1e9]);
    const {scale, offset} = window.app.canvas.ds;
    return {x: (left + offset[0]) * scale, y: (top + offset[1]) * scale,
            width: (right - left) * scale, height: (bottom - top) * scale};
}"""


def take_pictures(comfy: Comfy) -> None:
    with opened_page(comfy, 2000, 1100) as page:
        page.set_default_timeout(PATIENCE)
        for file in WORKFLOWS:
            workflow = json.loads(file.read_text())
            queued_prompt(page, workflow)
            page.evaluate(RUN)
            page.wait_for_timeout(3000)  # until the page has fetched and drawn the results
            if file.stem == SHOWN:
                area = page.evaluate(FRAMED)
                area = {"x": area["x"] - 10, "y": area["y"] - 25} | {
                    side: area[side] + 35 for side in ("width", "height")
                }
                picture = Image.open(BytesIO(page.screenshot(clip=area)))
                picture.thumbnail((1280, 1280))
                picture.save(GUIDE, quality=60, method=6)
            write_small(newest(comfy.root), file.with_suffix(".jpg"))


def newest(root: Path) -> Path:
    """The latest picture of ComfyUI's folders."""
    files = [*(root / "output").rglob("*.webp"), *(root / "temp").glob("*.png")]
    return max(files, key=lambda path: path.stat().st_mtime_ns)


def write_small(source: Path, target: Path) -> None:
    with Image.open(source) as clip:
        clip.seek(int(getattr(clip, "n_frames", 1) * MOMENT))
        picture = Image.new("RGBA", clip.size, "white")
        picture.alpha_composite(clip.convert("RGBA"))
    picture.resize((SMALL, SMALL), Image.Resampling.LANCZOS).convert("RGB").save(target, quality=75)


if __name__ == "__main__":
    with TemporaryDirectory() as folder, comfy_with(PACK, Path(folder) / "ComfyUI") as made:
        take_pictures(made)
