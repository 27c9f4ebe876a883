"""The tab Expressions: a portrait, sliders that pose its face, and a timeline on which poses become a motion."""

from __future__ import annotations

from typing import Any

import gradio as gr

from followyouremoji.face.sliders import SLIDERS, Slider, SliderGroup
from followyouremoji.studio.widget import tell, widget

SIDES = "Left and right are the person's own."
NOTES: dict[SliderGroup, str] = {
    "head": "Degrees, added to how the portrait holds its head.",
    "eyes": SIDES,
    "gaze": "Gaze goes by the picture: right is where you see right. Drag the pupils, or move them with arrow keys.",
    "brows": SIDES,
    "mouth": SIDES,
}
OPEN: tuple[SliderGroup, ...] = ("head", "gaze")

EDITOR = """
<section class="fye-editor fye-card" aria-label="Expression editor">
  <div class="fye-choice"></div>
  <div class="fye-pair">
    <figure>
      <div class="fye-screen"><canvas role="img" aria-label="The portrait with the landmarks of the pose"></canvas></div>
      <figcaption>Landmarks</figcaption>
    </figure>
    <figure>
      <div class="fye-screen fye-made"><img alt="The portrait in this pose" hidden></div>
      <figcaption>Picture<output class="fye-seconds" aria-label="Time that the picture took"></output></figcaption>
    </figure>
  </div>
  <div class="fye-wrong"></div>
  <div class="fye-buttons">
    <button type="button" class="fye-button" data-do="undo" title="Undo (Ctrl+Z)">Undo</button>
    <button type="button" class="fye-button" data-do="redo" title="Redo (Ctrl+Shift+Z)">Redo</button>
    <button type="button" class="fye-button" data-do="reset">Reset all</button>
    <button type="button" class="fye-button" data-do="picture">Download the picture</button>
  </div>
  <div class="fye-named" role="group" aria-label="Expressions"></div>
  <div class="fye-strengths"></div>
  <section class="fye-motion" aria-label="Motion">
    <h2>Motion</h2>
    <div class="fye-timeline"></div>
    <div class="fye-buttons">
      <button type="button" class="fye-button fye-primary" data-do="clip">Make the clip</button>
      <label>Name <input name="motion" value="My motion" maxlength="80"></label>
      <button type="button" class="fye-button" data-do="keep">Keep the motion</button>
      <button type="button" class="fye-button" data-do="fyemotion">Download .fyemotion</button>
      <button type="button" class="fye-button" data-do="json">Download keyframes</button>
      <button type="button" class="fye-button" data-do="open">Open keyframes</button>
      <input type="file" accept=".json,application/json" aria-label="A file of keyframes" hidden>
    </div>
    <div class="fye-wrong"></div>
    <p class="fye-said fye-hint" role="status"></p>
    <div class="fye-working" hidden>
      <progress max="1" aria-label="How much of the clip is made"></progress>
      <button type="button" class="fye-button" data-do="cancel">Cancel</button>
    </div>
    <div class="fye-film"></div>
  </section>
</section>
"""

EYES = """
<div class="fye-eyes">
  <button type="button" data-eye="right_eye" aria-label="Right eye's gaze"></button>
  <button type="button" data-eye="left_eye" aria-label="Left eye's gaze"></button>
  <label><input type="checkbox" checked> Both eyes together</label>
</div>
"""


def expressions_tab() -> None:
    """Lay the tab out."""
    sliders: dict[str, Any] = {}
    with gr.Row(elem_id="fye-expressions"):
        with gr.Column(scale=5, min_width=320):
            editor = widget("expressions.js", EDITOR, "fye-express")
        with gr.Column(scale=3, min_width=280, elem_classes="fye-card fye-controls"):
            for group, note in NOTES.items():
                with gr.Accordion(group.capitalize(), open=group in OPEN, elem_classes="fye-sliders"):
                    widget("expressions_reset.js", head(group, note), f"fye-reset-{group}")
                    if group == "gaze":
                        widget("expressions_gaze.js", EYES, "fye-look")
                    sliders |= {one.name: control(one) for one in SLIDERS if one.group == group}
    for slider in sliders.values():
        slider.change(**tell("fye-pose", sliders), show_progress="hidden")
    # The other way: the script of the editor says what the sliders show.
    editor.submit(
        fn=None, outputs=list(sliders.values()), js="() => window.fyeSliders", show_progress="hidden"
    )


def head(group: SliderGroup, note: str) -> str:
    button = f'<button type="button" class="fye-quiet">Reset {group}</button>'
    return f'<div class="fye-about-sliders"><p class="fye-hint">{note}</p>{button}</div>'


def control(slider: Slider, ids: str = "fye-pose") -> gr.Slider:
    """`ids` is what its id in the page begins with."""
    step = 1.0 if slider.group == "head" else 0.01
    return gr.Slider(
        slider.low, slider.high, 0.0, step=step, label=slider.label, elem_id=f"{ids}-{slider.name}"
    )
