"""ComfyUI's own page, as the package `comfyui-frontend-package` ships it, before nodes that run by the contract."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium

if TYPE_CHECKING:
    from fastapi import FastAPI
    from playwright.sync_api import Page

    from tests.comfyui.comfy import Comfy

FRONTEND = "comfyui_frontend_package"
LOADED = (
    "() => window.app?.graph && 'FollowYourEmoji_Animate' in (window.LiteGraph?.registered_node_types ?? {})"
)
ANSWERS: dict[str, Any] = {
    "users": {"storage": "server", "migrated": True},
    "settings": {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False},
    "system_stats": {
        "system": {
            **{"os": "posix", "python_version": "3.11", "pytorch_version": "2", "comfyui_version": "0.3.75"},
            **{"embedded_python": False, "argv": [], "ram_total": 1, "ram_free": 1},
        },
        "devices": [],
    },
    "queue": {"queue_running": [], "queue_pending": []},
    "prompt": {"exec_info": {"queue_remaining": 0}},
    "jobs": {"jobs": [], "pagination": {"total": 0, "offset": 0, "limit": 0, "has_more": False}},
    **{name: [] for name in ("extensions", "embeddings", "userdata", "v2/userdata", "experiment/models")},
    **{name: {} for name in ("i18n", "features", "history", "workflow_templates", "global_subgraphs")},
}


def server(comfy: Comfy, static: Path) -> FastAPI:
    """What the page asks of ComfyUI; a prompt that it queues is run, and the page is told of what every node gave."""
    from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
    from fastapi.responses import FileResponse, JSONResponse, Response
    from fastapi.staticfiles import StaticFiles

    app, sockets = FastAPI(), []

    async def tell(kind: str, **data: Any) -> None:
        for one in sockets:
            await one.send_text(json.dumps({"type": kind, "data": data}))

    async def follow(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.append(websocket)
        await tell("status", status={"exec_info": {"queue_remaining": 0}}, sid="page")
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            sockets.remove(websocket)

    async def queue(request: Request) -> Response:
        outputs = comfy.run((await request.json())["prompt"])
        for node, output in outputs.items():
            if output.ui is not None:
                await tell(
                    "executed", node=node, display_node=node, output=output.ui.as_dict(), prompt_id="1"
                )
        await tell("executing", node=None, prompt_id="1")
        return JSONResponse({"prompt_id": "1", "number": 1, "node_errors": {}})

    async def view(filename: str, type: str = "output", subfolder: str = "") -> Response:
        return FileResponse(comfy.root / type / subfolder / filename)

    async def answer(path: str) -> Response:
        known = {**ANSWERS, "object_info": comfy.object_info()}
        return JSONResponse(known.get(path), 200 if path in known else 404)

    # Names of types inside a function are no names for FastAPI, which reads annotations.
    for function, kinds in ((follow, {"websocket": WebSocket}), (queue, {"request": Request})):
        function.__annotations__ = kinds
    for function in (view, answer):
        function.__annotations__ = {name: str for name in function.__annotations__ if name != "return"}
    app.add_api_websocket_route("/ws", follow)
    app.add_api_route("/api/prompt", queue, methods=["POST"])
    app.add_api_route("/api/view", view)
    app.add_api_route("/api/{path:path}", answer, methods=["GET"])
    app.mount("/", StaticFiles(directory=static, html=True))
    return app


@contextmanager
def opened_page(comfy: Comfy, width: int = 1600, height: int = 900) -> Iterator[Page]:
    """The page in a browser, when it knows the nodes; skips the test where a part is missing."""
    pytest.importorskip("fastapi")
    uvicorn = pytest.importorskip("uvicorn")
    spec = find_spec(FRONTEND)
    if spec is None or spec.origin is None:
        pytest.skip("ComfyUI's page comes with the package comfyui-frontend-package, which is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = server(comfy, Path(spec.origin).parent / "static")
    runner = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    while not runner.started:
        time.sleep(0.05)
    try:
        with chromium() as browser:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_function(LOADED, timeout=60_000)
            yield page
    finally:
        runner.should_exit = True
        thread.join()


def queued_prompt(page: Page, workflow: dict[str, Any]) -> dict[str, Any]:
    """A workflow opened in the page, as the prompt that the page would queue."""
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    made = page.evaluate("async () => (await window.app.graphToPrompt()).output")
    return {node: {"class_type": one["class_type"], "inputs": one["inputs"]} for node, one in made.items()}
