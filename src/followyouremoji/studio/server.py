"""The studio as a web application: the page, what its scripts ask for, and the server around both."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault(
    "GRADIO_ANALYTICS_ENABLED", "False"
)  # before Gradio is imported: nothing is sent anywhere

import gradio
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from followyouremoji.errors import UserError
from followyouremoji.studio import routes_history, routes_points, routes_poses
from followyouremoji.studio.material import NotThere
from followyouremoji.studio.page import build_page
from followyouremoji.studio.password import Password
from followyouremoji.studio.routes import router
from followyouremoji.studio.security import Guard
from followyouremoji.studio.studio import Studio
from followyouremoji.studio.visits import Visits

STATIC = Path(__file__).parent / "static"


def studio_app(studio: Studio) -> FastAPI:
    """The studio as a web application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.studio = studio

    @app.exception_handler(NotThere)
    def unknown(request: Request, error: NotThere) -> JSONResponse:
        return JSONResponse({"detail": "there is no such thing, or it is not yours"}, 404)

    @app.exception_handler(UserError)
    def unusable(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    app.include_router(router)
    app.include_router(routes_points.router)
    app.include_router(routes_poses.router)
    app.include_router(routes_history.router)
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
        css_paths=sorted(STATIC.glob("*.css")),
        head=page.head,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
