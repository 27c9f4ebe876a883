"""The tab Expressions: a portrait, sliders that pose its face, and a timeline on which poses become a motion."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from followyouremoji.face.expressions import NAMED_EXPRESSIONS
from followyouremoji.face.keyframes import EASINGS
from followyouremoji.face.sliders import EFFECTS, SLIDERS, STRONGEST, Slider, SliderGroup
from followyouremoji.studio.widget import tell, widget

GROUPS: dict[SliderGroup, str] = {
    "head": "Head",
    "eyes": "Eyes",
    "gaze": "Gaze",
    "brows": "Brows",
    "mouth": "Mouth",
}
NOTES: dict[SliderGroup, str] = {
    "head": "Degrees, added to how the head is held in the portrait.",
    "eyes": "Left and right are the person's own.",
    "gaze": "Goes by the picture: right is where you see right. Each eye's own sliders are added to both eyes'.",
    "brows": "Left and right are the person's own.",
    "mouth": "Left and right are the person's own.",
}
OPEN: tuple[SliderGroup, ...] = ("head", "mouth")

EDITOR = """
<section class="fye-editor" aria-label="Expression editor">
  <div class="fye-portraits"></div>
  <p class="fye-problem" role="alert"></p>
  <div class="fye-views">
    <figure>
      <canvas role="img" aria-label="The portrait with the landmarks of the pose"></canvas>
      <figcaption>Landmarks</figcaption>
    </figure>
    <figure>
      <img class="fye-made" alt="The picture of the pose" hidden>
      <figcaption>Picture <output class="fye-seconds" aria-label="Time it took"></output></figcaption>
    </figure>
  </div>
  <div class="fye-row">
    <button type="button" data-do="undo">Undo</button>
    <button type="button" data-do="redo">Redo</button>
    <button type="button" data-do="reset">Reset all</button>
    <button type="button" data-do="picture">Download the picture</button>
  </div>
  <div class="fye-row fye-named" role="group" aria-label="Expressions">EXPRESSIONS</div>
  <div class="fye-strengths"></div>
  <div class="fye-timeline"></div>
</section>
"""

GAZE_PAD = """
<div class="fye-gaze">
  <div class="fye-pad" role="group" aria-label="Gaze, by the picture">
    <button type="button" data-eye="both" aria-label="Both eyes' gaze: arrow keys move it"></button>
    <button type="button" data-eye="right_eye" aria-label="Right eye's gaze: arrow keys move it" hidden></button>
    <button type="button" data-eye="left_eye" aria-label="Left eye's gaze: arrow keys move it" hidden></button>
  </div>
  <label><input type="checkbox" checked> Both eyes together</label>
</div>
"""


def expressions_tab() -> dict[str, Any]:
    """Lay the tab out; returns its sliders by name."""
    sliders: dict[str, Any] = {}
    with gr.Row(elem_classes="fye-expressions"):
        with gr.Column(scale=5, min_width=320):
            editor = widget("expressions.js", editor_html(), "fye-expressions-editor")
        with gr.Column(scale=3, min_width=280):
            for group, title in GROUPS.items():
                with gr.Accordion(title, open=group in OPEN, elem_classes="fye-sliders"):
                    note = f'<p class="fye-note">{NOTES[group]}</p>'
                    gr.HTML(
                        f'{note}<button type="button" class="fye-reset" data-group="{group}">Reset {title.lower()}</button>',
                        apply_default_css=False,
                    )
                    if group == "gaze":
                        widget("expressions_gaze.js", GAZE_PAD, "fye-expressions-gaze")
                    for slider in SLIDERS:
                        if slider.group == group:
                            sliders[slider.name] = as_control(slider)
    for control in sliders.values():
        control.change(**tell("fye-pose", sliders), show_progress="hidden")
    # The other way: what a script wants the sliders to show.
    editor.submit(fn=None, outputs=list(sliders.values()), js="() => window.fyeSliders", show_progress="hidden")
    return sliders


def as_control(slider: Slider) -> gr.Slider:
    step = 1.0 if slider.group == "head" else 0.01
    return gr.Slider(slider.low, slider.high, 0.0, step=step, label=slider.label, elem_id=f"fye-{slider.name}")


def editor_html() -> str:
    """The editor with the tables that its script needs."""
    return EDITOR
