"""The study's page and what it asks the server for.

    GET  /                                       the page
    POST /visits                                 begin: {"visit": TOKEN}
    GET  /visits/TOKEN                           where the visitor is, and the open question
    PUT  /visits/TOKEN/questions/NUMBER/ASPECT   a ranking, {"order": [2, 0, 1]}: C is best; tells what GET would
    GET  /media/NAME                             a picture or a clip under its random name

Nothing that is sent names a system. What a request names is looked up, never made a path.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.middleware.base import RequestResponseEndpoint

from followyouremoji.benchmark.study.answers import ASPECTS, Answers, Unknown, Visit
from followyouremoji.benchmark.study.material import DRIVING, PORTRAIT, RESULT, media_path
from followyouremoji.config import parse, validated
from followyouremoji.errors import DataError

MOST_BYTES = 4096
"""Of a request's body."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@validated
class Order:
    """A ranking as the page sends it: the places of the results shown, the best one's first."""

    order: list[int]


async def sent(request: Request) -> bytes:
    """The body of a request, short and JSON, which a page of another origin cannot send."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "too long")
    return body


Sent = Annotated[bytes, Depends(sent)]
Number = Annotated[int, InPath(ge=1, le=1_000_000)]


def study_app(answers: Answers, pairs: Sequence[str], folder: Path, asked: int) -> FastAPI:
    """The study as a web application.

    Parameters
    ----------
    pairs : that can be shown; their files lie in `folder`.
    asked : of how many of them each visitor is asked.
    """
    names = answers.media_names([])
    media = {name: media_path(folder, name, what) for (_, what), name in names.items()}
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    portraits = min(asked, len(pairs))
    page = page.replace("{{asked}}", f"{portraits} portrait{'s' if portraits > 1 else ''}")
    page = page.replace("{{systems}}", str(len(answers.systems)))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.middleware("http")
    async def with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        for header, value in HEADERS.items():
            response.headers.setdefault(header, value)
        return response

    @app.exception_handler(Unknown)
    def unknown(request: Request, error: Unknown) -> JSONResponse:
        return JSONResponse({"detail": "there is no such visit or question"}, 404)

    @app.exception_handler(DataError)
    def unusable(request: Request, error: DataError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(sqlite3.Error)
    def not_saved(request: Request, error: sqlite3.Error) -> JSONResponse:
        uvicorn.config.logger.error("%s: %s; visitors wait", answers.path, error)
        return JSONResponse({"detail": "answers cannot be saved at the moment"}, 503)

    @app.get("/")
    def study_page() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(
            page.replace("{{nonce}}", nonce),
            headers={"Content-Security-Policy": POLICY.format(nonce=nonce)},
        )

    @app.post("/visits", status_code=201)
    def begin(body: Sent) -> dict[str, str]:
        return {"visit": answers.begin(pairs, asked)}

    @app.get("/visits/{token}")
    def where(token: str) -> dict[str, Any]:
        return described(answers.visit(token), names)

    @app.put("/visits/{token}/questions/{number}/{aspect}")
    def save(token: str, number: Number, aspect: str, body: Sent) -> dict[str, Any]:
        order = parse(Order, body, "the ranking", DataError).order
        answers.save(token, number, aspect, order, pairs)
        return described(answers.visit(token), names)

    @app.get("/media/{name}")
    def show(name: str) -> FileResponse:
        path = media.get(name)
        if path is None or not path.is_file():
            raise HTTPException(404)
        # Names are for ever, and the next question of the same pair shows the same files.
        return FileResponse(path, headers={"Cache-Control": "private, max-age=86400, immutable"})

    return app


def described(visit: Visit, names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """What the page may know of a visit."""
    about: dict[str, Any] = {"done": visit.done, "total": visit.total, "aspects": ASPECTS, "question": None}
    if (question := visit.question) is not None:
        about["question"] = {
            "number": question.number,
            "portrait": f"media/{names[question.pair, PORTRAIT]}",
            "driving": f"media/{names[question.pair, DRIVING]}",
            "results": [f"media/{names[question.pair, RESULT + system]}" for system in question.shown],
            "answered": {
                aspect: [question.shown.index(system) for system in ranked]
                for aspect, ranked in question.rankings.items()
            },
        }
    return about
