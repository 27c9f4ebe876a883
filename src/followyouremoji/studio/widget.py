"""How a tab joins Gradio's layout with the scripts of `static`."""

from __future__ import annotations

from typing import Any

import gradio as gr


def widget(script: str, html: str, name: str, **more: Any) -> gr.HTML:
    """A piece of the page that a script of `static` brings to life: its `mount(element, trigger)` is called with it;
    `trigger(NAME)` sets off the listeners of a Gradio event.

    `name` is the id in the page.
    """
    mount = f"import('/studio/static/{script}').then(module => module.mount(element, trigger));"
    return gr.HTML("", html_template=html, js_on_load=mount, elem_id=name, apply_default_css=False, **more)


def tell(event: str, components: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a Gradio listener that only tells scripts: a window's event of that name, whose detail has each
    component's value under its name. Nothing goes to the server."""
    names = ", ".join(components)
    return {
        "fn": None,
        "inputs": list(components.values()),
        "js": f"({names}) => {{ window.dispatchEvent(new CustomEvent('{event}', {{detail: {{{names}}}}})); }}",
    }
