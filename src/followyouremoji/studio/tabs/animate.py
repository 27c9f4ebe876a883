"""The tab Animate: a portrait, a driving, sliders with the landmarks that follow at once, and the animation."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from followyouremoji.studio.controls import Controls
from followyouremoji.studio.widget import tell, widget

STRENGTHS = {
    "expression": "Expression",
    "brows": "Brows",
    "eyes": "Lids",
    "mouth": "Mouth",
    "gaze": "Gaze",
    "head_strength": "Head",
    "smooth": "Smoothing",
}
HEADS = [
    ("From the portrait's own pose", "relative"),
    ("As in the driving", "absolute"),
    ("Still", "none"),
    ("Landmarks as they are", "image"),
]
EXPRESSIONS = [("Replaced where it is plain", "auto"), ("Kept", "keep"), ("Replaced", "replace")]
CROPS: list[tuple[str, Any]] = [
    ("What suits the picture", "auto"),
    ("A square around the face", True),
    ("The middle of the picture", False),
]
LOOPS = [("Off", "off"), ("End blends into the beginning", "blend"), ("Forwards and backwards", "pingpong")]


def animate_tab() -> None:
    """Lay the tab out."""
    with gr.Row(elem_id="fye-animate"):  # a grid, see animate.css
        widget("pickers.js", "", "fye-choose")
        stage = widget("animate.js", "", "fye-play")
        with gr.Column(elem_classes="fye-card fye-controls"):
            gr.HTML("<h2>How much it moves</h2>", apply_default_css=False, padding=False)
            controls: dict[str, Any] = {
                name: gr.Slider(0, 2, 1, step=0.05, label=label) for name, label in STRENGTHS.items()
            }
            with gr.Accordion("Advanced", open=False):
                controls |= {
                    "head": gr.Dropdown(HEADS, value="relative", label="Head motion"),
                    "portrait_expression": gr.Dropdown(
                        EXPRESSIONS, value="auto", label="The portrait's own expression"
                    ),
                    "crop": gr.Dropdown(CROPS, value="auto", label="What is animated"),
                    "loop": gr.Dropdown(LOOPS, value="off", label="Loop"),
                    "start": gr.Number(0, minimum=0, step=0.1, label="Start in the driving, seconds"),
                    "length": gr.Number(0, minimum=0, step=0.1, label="Length, seconds (0: to the end)"),
                    "seed": gr.Number(0, minimum=0, precision=0, step=1, label="Seed"),
                }
            reset = gr.Button("Reset", size="sm")
    for control in controls.values():
        control.change(**tell("fye-controls", controls), show_progress="hidden")
    defaults = {name: getattr(Controls(), name) for name in controls}
    outputs = list(controls.values())
    reset.click(None, None, outputs, js=_values(defaults, "{}"), show_progress="hidden")
    # What a script wants the controls to show.
    stage.submit(None, None, outputs, js=_values(defaults, "window.fyeControls"), show_progress="hidden")


def _values(defaults: dict[str, Any], said: str) -> str:
    """A script that gives the controls' values: those that are `said`, a JavaScript object, and else the defaults."""
    return f"() => {{ const said = {said}; return Object.entries({json.dumps(defaults)}).map(([name, value]) => said[name] === undefined ? value : said[name]); }}"
