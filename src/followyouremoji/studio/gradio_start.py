"""Gradio, imported in half the time: to be imported before anything else imports it.

Gradio writes stubs for editors into its own folder as it is imported, which takes longer than all else that it does.
Nothing is sent anywhere.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


@contextmanager
def without_stubs() -> Iterator[None]:
    """Has Gradio write no stubs: it does not for classes that are in no file."""
    getfile = inspect.getfile

    def of(thing: Any) -> str:
        if sys._getframe(1).f_code.co_name == "create_or_modify_pyi":
            raise OSError
        return getfile(thing)

    inspect.getfile = of  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


with without_stubs():
    import gradio as gradio
