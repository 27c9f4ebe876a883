"""Who may ask for what: keys where there are any, and programs of this machine where there are none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from followyouremoji.errors import UserError
from followyouremoji.job_server.keys import LOCAL, Client, Limits
from followyouremoji.job_server.problems import Refused
from followyouremoji.serving import is_local, name_of

if TYPE_CHECKING:
    from followyouremoji.job_server.server import JobServer

NOBODY = Client(name=LOCAL, sha256="", created=0.0, limits=Limits())
"""Whoever asks where no key is needed."""

log = logging.getLogger(__name__)

bearer = HTTPBearer(auto_error=False, description="A key of `fye serve key add NAME`.")


def server_of(request: Request) -> JobServer:
    server: JobServer = request.app.state.server
    return server


def client_of(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Client:
    """Who asks. Raises Refused where that is nobody who may."""
    server = server_of(request)
    try:
        if server.settings.local and not server.keys.needed:
            refuse_pages(request)
            return NOBODY
        client = None if given is None else server.keys.of(given.credentials)
    except UserError as damaged:
        log.error("no key can be looked at: %s", damaged)
        raise Refused(503, "the server's keys cannot be read: its owner has to mend them") from None
    if client is None:
        raise Refused(
            401, "give a key in the header: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"}
        )
    return client


def refuse_pages(request: Request) -> None:
    """Raise Refused for what a page in a browser of this machine asks for, under whatever name: without a key, any page
    of elsewhere could."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if not is_local(name_of(host)):
        raise Refused(421, "the server is not at this address")
    if origin is not None and origin.partition("://")[2] != host:
        raise Refused(403, "a page of elsewhere may not ask for this")


Asking = Annotated[Client, Depends(client_of)]
