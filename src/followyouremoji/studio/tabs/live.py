"""The tab Live: a portrait that moves as whoever sits before the camera does."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from followyouremoji.face.sliders import SLIDERS
from followyouremoji.studio.tabs.animate import STRENGTHS
from followyouremoji.studio.tabs.expressions import control
from followyouremoji.studio.widget import tell, widget

FOLLOWED = ("expression", "brows", "eyes", "mouth", "gaze", "head_strength")
"""Of `AlignmentSettings`."""

ADDED = ("smile", "brows_up", "wide", "gaze_x", "yaw", "pitch")
"""Sliders of a pose that is added to every frame."""

SIZES = {256: "256 pixels, quickest", 384: "384 pixels", 512: "512 pixels", 768: "768 pixels, slow"}
"""Of the frames' longer side."""

FIRST_SIZE = 384

STAGE = f"""
<section class="fye-card fye-live" aria-label="Live">
  <div class="fye-choice"></div>
  <div class="fye-live-pair">
    <figure class="fye-live-out">
      <div class="fye-screen fye-loading">
        <img alt="" hidden>
        <canvas role="img" aria-label="The portrait"></canvas>
      </div>
    </figure>
    <div class="fye-live-side">
      <figure class="fye-live-own">
        <div class="fye-screen"><video muted playsinline aria-label="What moves the portrait" hidden></video></div>
        <figcaption>What moves it</figcaption>
      </figure>
      <dl class="fye-live-figures">
        <div><dt>Rate</dt><dd data-figure="rate">–</dd></div>
        <div><dt>Latency</dt><dd data-figure="latency">–</dd></div>
        <div><dt>Dropped</dt><dd data-figure="dropped">–</dd></div>
      </dl>
    </div>
  </div>
  <p class="fye-live-state" role="status"></p>
  <div class="fye-wrong"></div>
  <div class="fye-buttons">
    <button type="button" class="fye-button fye-primary" data-do="camera" disabled>Start the camera</button>
    <button type="button" class="fye-button" data-do="clip" disabled>Use a clip</button>
    <button type="button" class="fye-button fye-primary" data-do="stop" hidden>Stop</button>
    <button type="button" class="fye-button" data-do="recalibrate" hidden>Recalibrate</button>
    <input type="file" name="clip" accept="video/*" aria-label="A clip of a face" hidden>
    <label>Size <select name="size">
      {"".join(f'<option value="{size}">{words}</option>' for size, words in SIZES.items())}
    </select></label>
    <label><input type="checkbox" name="mirror" checked> Mirrored</label>
  </div>
  <p class="fye-hint">The camera's pictures go to the machine that runs this studio, and are not kept.</p>
</section>
""".replace(f'value="{FIRST_SIZE}"', f'value="{FIRST_SIZE}" selected')


def live_tab() -> None:
    """Lay the tab out."""
    sliders = {one.name: one for one in SLIDERS}
    with gr.Row(elem_id="fye-live"):
        with gr.Column(scale=5, min_width=320):
            widget("live.js", STAGE, "fye-live-stage")
        with gr.Column(scale=3, min_width=260, elem_classes="fye-card fye-controls"):
            gr.HTML("<h2>How much it moves</h2>", apply_default_css=False, padding=False)
            controls: dict[str, Any] = {
                name: gr.Slider(0, 2, 1, step=0.05, label=STRENGTHS[name]) for name in FOLLOWED
            }
            with gr.Accordion("Added to it", open=True):
                controls |= {name: control(sliders[name], "fye-added") for name in ADDED}
            reset = gr.Button("Reset", size="sm")
    for slider in controls.values():
        slider.change(**tell("fye-live", controls), show_progress="hidden")
    defaults = json.dumps([slider.value for slider in controls.values()])
    reset.click(None, None, list(controls.values()), js=f"() => {defaults}", show_progress="hidden")
