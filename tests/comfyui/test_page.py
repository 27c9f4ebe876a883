"""The nodes and workflows in ComfyUI's own page (of `comfyui-frontend-package`), which asks the contract instead of
ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.comfyui.conftest import WORKFLOWS, workflow
from tests.comfyui.page import opened_page, queued_prompt

if TYPE_CHECKING:
    from tests.comfyui.comfy import Comfy

SHOWN = "() => window.app.graph.nodes.filter(node => node.imgs?.length).map(node => node.type)"


@pytest.mark.slow
def test_the_page_makes_the_contracts_prompts_of_workflows_and_shows_what_comes(comfy: Comfy) -> None:
    with opened_page(comfy) as page:
        for file in WORKFLOWS:
            assert queued_prompt(page, workflow(file.stem)) == comfy.prompt_of(workflow(file.stem))
        queued_prompt(page, workflow("expression"))
        page.evaluate("() => window.app.queuePrompt(0)")
        page.wait_for_function(f"() => ({SHOWN})().length > 0", timeout=60_000)
        assert page.evaluate(SHOWN) == ["PreviewImage"]
