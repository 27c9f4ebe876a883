"""The tab Animate: a portrait, a driving, sliders with the landmarks that follow at once, and the animation."""

from __future__ import annotations

from typing import Any

import gradio as gr

from followyouremoji.studio.widget import tell, widget

STAGE = """
<section class="fye-pickers">
  <div class="fye-picker" data-kind="portrait"></div>
  <div class="fye-picker" data-kind="driving"></div>
</section>
<section class="fye-stage"><canvas></canvas><p class="fye-message" role="status"></p></section>
<section class="fye-job"></section>
"""


def animate_tab() -> dict[str, Any]:
    """Lay the tab out; returns its controls by name, for a page that comes back to be set as it was."""
    with gr.Row():
        with gr.Column(scale=3):
            widget("animate.js", STAGE, "fye-animate")
        with gr.Column(scale=1, min_width=280):
            controls: dict[str, Any] = {
                "expression": gr.Slider(0, 2, 1, step=0.05, label="Expression"),
                "brows": gr.Slider(0, 2, 1, step=0.05, label="Brows"),
                "eyes": gr.Slider(0, 2, 1, step=0.05, label="Lids"),
                "mouth": gr.Slider(0, 2, 1, step=0.05, label="Mouth"),
                "gaze": gr.Slider(0, 2, 1, step=0.05, label="Gaze"),
                "head_strength": gr.Slider(0, 2, 1, step=0.05, label="Head"),
            }
    for control in controls.values():
        control.change(**tell("fye-controls", controls), show_progress="hidden")
    return controls
