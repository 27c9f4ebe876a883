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
<section class="fye-editor" aria-label="Expression editor">
  <div class="fye-portraits"></div>
  <div class="fye-views">
    <figure>
      <canvas role="img" aria-label="The portrait with the landmarks of the pose"></canvas>
      <figcaption>Landmarks</figcaption>
    </figure>
    <figure>
      <div class="fye-made"><img alt="The portrait in this pose" hidden></div>
      <figcaption>Picture<output class="fye-seconds" aria-label="Time that the picture took"></output></figcaption>
    </figure>
  </div>
  <p role="alert"></p>
  <div class="fye-row">
    <button type="button" data-do="undo">Undo</button>
    <button type="button" data-do="redo">Redo</button>
    <button type="button" data-do="reset">Reset all</button>
    <button type="button" data-do="picture">Download the picture</button>
  </div>
  <div class="fye-row fye-named" role="group" aria-label="Expressions"></div>
  <div class="fye-strengths"></div>
  <section class="fye-clip" aria-label="Motion">
    <div class="fye-timeline"></div>
    <div class="fye-row">
      <button type="button" class="fye-main" data-do="clip">Make the clip</button>
      <label>Name <input name="motion" value="My motion" maxlength="80"></label>
      <button type="button" data-do="keep">Keep the motion</button>
      <button type="button" data-do="fyemotion">Download .fyemotion</button>
      <button type="button" data-do="json">Download keyframes</button>
      <label class="fye-upload"><input type="file" accept=".json,application/json"><span class="fye-upload-name">Open keyframes</span></label>
    </div>
    <p role="alert"></p>
    <p class="fye-said" role="status"></p>
    <progress aria-label="How much of the clip is made" hidden></progress>
    <video controls loop playsinline aria-label="The clip" hidden></video>
  </section>
</section>
"""

EYES = """
<div class="fye-gaze">
  <button type="button" data-eye="right_eye" aria-label="Right eye's gaze"></button>
  <button type="button" data-eye="left_eye" aria-label="Left eye's gaze"></button>
  <label><input type="checkbox" checked> Both eyes together</label>
</div>
"""


def expressions_tab() -> None:
    """Lay the tab out."""
    sliders: dict[str, Any] = {}
    with gr.Row(elem_classes="fye-expressions"):
        with gr.Column(scale=5, min_width=320):
            editor = widget("expressions.js", EDITOR, "fye-expressions-editor")
        with gr.Column(scale=3, min_width=280):
            for group, note in NOTES.items():
                with gr.Accordion(group.capitalize(), open=group in OPEN, elem_classes="fye-sliders"):
                    head = f'<div class="fye-group-head"><p class="fye-note">{note}</p><button type="button">Reset {group}</button></div>'
                    widget("expressions_reset.js", head, f"fye-reset-{group}")
                    if group == "gaze":
                        widget("expressions_gaze.js", EYES, "fye-expressions-gaze")
                    sliders |= {one.name: control(one) for one in SLIDERS if one.group == group}
    for slider in sliders.values():
        slider.change(**tell("fye-pose", sliders), show_progress="hidden")
    # The other way: the script of the editor says what the sliders show.
    editor.submit(
        fn=None, outputs=list(sliders.values()), js="() => window.fyeSliders", show_progress="hidden"
    )


def control(slider: Slider) -> gr.Slider:
    step = 1.0 if slider.group == "head" else 0.01
    return gr.Slider(
        slider.low, slider.high, 0.0, step=step, label=slider.label, elem_id=f"fye-{slider.name}"
    )
