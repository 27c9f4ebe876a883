"""What went wrong, as RFC 9457 says it: `application/problem+json`."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from followyouremoji.errors import UserError

MEDIA_TYPE = "application/problem+json"
FULL = (errno.ENOSPC, errno.EDQUOT)

log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong, in a user's words."""

    type: str = "about:blank"
    title: str = Field(description="Of the status.")
    status: int
    detail: str = Field(description="What is wrong, and what to do.")
    settings: list[str] = Field(description="Names of the settings that it is about.", default=[])


class Refused(HTTPException):
    """Ends a request with a status and a sentence for its client."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        settings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.settings = settings


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, settings: tuple[str, ...] = ()
) -> JSONResponse:
    """The answer that says so."""
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, settings=list(settings))
    return JSONResponse(said.model_dump(), status, headers, MEDIA_TYPE)


Responses = dict[int | str, dict[str, Any]]


def responses(*statuses: int, **others: Any) -> Responses:
    """What OpenAPI says of a route's problems, and of other answers by their status: `_200={}`."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    problems: Responses = {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }
    return {int(name[1:]): said for name, said in others.items()} | problems


def tell_problems(app: FastAPI) -> None:
    """Have all errors told so."""

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        settings = error.settings if isinstance(error, Refused) else ()
        return problem(error.status_code, str(error.detail), error.headers, settings)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return problem(422, wrong)

    @app.exception_handler(UserError)
    def unusable(request: Request, error: UserError) -> JSONResponse:
        return problem(422, str(error), settings=error.settings)

    @app.exception_handler(OSError)
    def full(request: Request, error: OSError) -> JSONResponse:
        if error.errno not in FULL:
            raise error
        return problem(507, "the server's disk is full: its owner has to make room")

    @app.exception_handler(sqlite3.OperationalError)
    def busy(request: Request, error: sqlite3.OperationalError) -> JSONResponse:
        log.error("the queue cannot be used: %s", error)
        return problem(503, "the queue cannot be used now; ask again later", {"Retry-After": "5"})

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return problem(500, "something went wrong that nobody foresaw; the server's log says more")
