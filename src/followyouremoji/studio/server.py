"""The studio as a web application: the page, what its scripts ask for, and the server around both."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from followyouremoji.errors import UserError
from followyouremoji.studio import (
    routes_benchmark,
    routes_history,
    routes_live,
    routes_points,
    routes_poses,
    routes_stickers,
)
from followyouremoji.studio.gradio_start import gradio
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.page import build_page
from followyouremoji.studio.password import Password
from followyouremoji.studio.routes import router
from followyouremoji.studio.security import Guard
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.visits import Visits

STATIC = Path(__file__).parent / "static"
SHARED_LOOK = STATIC / "studio.css"
"""Before those of the tabs."""
FULL = (errno.ENOSPC, errno.EDQUOT)

WARM_UP_AFTER, LOAD_AFTER = 4.0, 15.0
"""Seconds from the start until the detector and the model are loaded, if nobody needs them before: the page is there
first, and the first preview is not kept waiting for torch."""
TIDY_EVERY = 3600.0

log = logging.getLogger(__name__)


def studio_app(studio: Studio) -> FastAPI:
    """The studio as a web application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(upkeep(studio))
        yield
        work.cancel()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.studio = studio

    @app.exception_handler(NotThere)
    def unknown(request: Request, error: NotThere) -> JSONResponse:
        return JSONResponse({"detail": "there is no such thing, or it is not yours"}, 404)

    @app.exception_handler(UserError)
    def unusable(request: Request, error: UserError) -> JSONResponse:
        about = {"detail": studio.store.unplaced(str(error)), "settings": error.settings}
        return JSONResponse(about, 422)

    @app.exception_handler(OSError)
    def full(request: Request, error: OSError) -> JSONResponse:
        if error.errno not in FULL:
            raise error
        return JSONResponse({"detail": "the studio's disk is full: its owner has to make room"}, 507)

    app.include_router(router)
    app.include_router(routes_points.router)
    app.include_router(routes_poses.router)
    app.include_router(routes_live.router)
    app.include_router(routes_stickers.router)
    app.include_router(routes_history.router)
    app.include_router(routes_benchmark.router)
    app.mount("/studio/static", StaticFiles(directory=STATIC))
    if (password := studio.settings.asked_password) is not None:
        app.add_middleware(Password, password=password)
    app.add_middleware(Visits)
    app.add_middleware(Guard, local=studio.settings.local, proxied=studio.settings.proxied)  # the outermost
    page = build_page(studio)
    return gradio.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        theme=page.theme,
        css_paths=[SHARED_LOOK, *sorted(set(STATIC.glob("*.css")) - {SHARED_LOOK})],
        head=page.head,
        favicon_path=STATIC / "logo.svg",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )


async def upkeep(studio: Studio) -> None:
    """What is done while the studio serves, whoever asks for something or not."""
    await asyncio.sleep(WARM_UP_AFTER)
    studio.warm_up()
    await asyncio.sleep(LOAD_AFTER - WARM_UP_AFTER)
    try:
        await asyncio.wrap_future(studio.load())
    except UserError as error:  # which animations are told, too
        log.error("The model cannot be used: %s", error)
    while True:
        with suppress(OSError):
            await run_in_threadpool(studio.store.tidy)
        await asyncio.sleep(TIDY_EVERY)
