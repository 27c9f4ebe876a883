"""The page: a tab a file of `tabs`, in a look of its own."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.themes import Base

from followyouremoji.studio.studio import Studio
from followyouremoji.studio.tabs.animate import animate_tab
from followyouremoji.studio.tabs.benchmark import benchmark_tab
from followyouremoji.studio.tabs.expressions import expressions_tab
from followyouremoji.studio.tabs.history import history_tab
from followyouremoji.studio.tabs.live import live_tab
from followyouremoji.studio.tabs.points import points_tab
from followyouremoji.studio.tabs.stickers import stickers_tab
from followyouremoji.studio.widget import widget
from followyouremoji.studio.workshop import Workshop

HEAD = '<meta name="viewport" content="width=device-width, initial-scale=1">'
HEADER = """
<header class="fye-header">
  <img src="/studio/static/logo.svg" alt="" width="48" height="48">
  <div>
    <h1>Follow Your Emoji</h1>
    <p>Bring a portrait to life: it makes the faces that a clip shows it.</p>
  </div>
  <button type="button" class="fye-round fye-theme" aria-label="Switch the theme"></button>
</header>
"""


@dataclass(frozen=True)
class Page:
    blocks: gr.Blocks
    theme: Base
    head: str


def build_page(studio: Studio) -> Page:
    """All tabs."""
    with gr.Blocks(title="Follow Your Emoji", analytics_enabled=False) as blocks:
        widget("header.js", HEADER, "fye-head")
        with gr.Tabs():
            with gr.Tab("Animate", id="animate", render_children=True):
                animate_tab()
            with gr.Tab("Live", id="live", render_children=True):
                live_tab()
            with gr.Tab("Expressions", id="expressions", render_children=True):
                expressions_tab()
            with gr.Tab("Stickers", id="stickers", render_children=True):
                stickers_tab()
            with gr.Tab("Points", id="points", render_children=True):
                points_tab()
            with gr.Tab("History", id="history", render_children=True):
                history_tab()
            if Workshop.of(studio.settings) is not None:
                with gr.Tab("Benchmark", id="benchmark", render_children=True):
                    benchmark_tab()
    return Page(blocks, look(), HEAD)


def look() -> Base:
    """The page's colours and fonts, none of which is fetched from elsewhere."""
    fonts = ("system-ui", "sans-serif")
    theme = Base(
        primary_hue="violet", secondary_hue="amber", font=fonts, font_mono=("ui-monospace", "monospace")
    )
    return theme.set(body_text_color_subdued="*neutral_500")  # which can be read on white
