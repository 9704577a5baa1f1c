"""The ASGI application: `streamlit run app.py`. One indexer, the security headers, /readyz, and the client's wheel.

The script that draws the pages is pages/router.py: an entry script beside a folder `pages/` would let a cold deep link
run a page by itself, past the frame.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.base.errors import CoreError
from core.services.job_code import client_wheel, wheel_name
from pages.parts.frame import service
from pages.parts.frame.guard import OwnSite

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SecurityHeaders:
    """Adds HEADERS to every HTTP answer, those of Streamlit's own files among them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with headers put on what comes back."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


async def ready(_request: Request) -> JSONResponse:
    """200 once every root was looked at, 503 before; reads memory only and never waits."""
    status = service.current().status
    is_ready = status is not None and status.report is not None
    document = {"ready": is_ready, "phase": None if status is None else status.phase}
    return JSONResponse(document, status_code=200 if is_ready else 503, headers={"Cache-Control": "no-store"})


async def wheel(request: Request) -> Response:
    """The job's side, as pip and a browser want it; 404 for any other name, with the one that is here."""
    if request.path_params["name"] != wheel_name():
        return PlainTextResponse(f"Not found. This dashboard has {wheel_name()}.\n", status_code=404)
    return Response(client_wheel(), media_type="application/octet-stream", headers={"Cache-Control": "no-cache"})


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Run the indexer's thread while the server runs; nothing is scanned before the first request can be answered."""
    service.start()
    try:
        yield
    finally:
        service.stop()


try:
    service.current()
except CoreError as error:
    sys.exit(f"Waypoint cannot start: {error}")

app = st.App(
    "pages/router.py",
    lifespan=lifespan,
    middleware=[Middleware(SecurityHeaders), Middleware(OwnSite)],
    routes=[Route("/readyz", ready), Route("/client/{name}", wheel)],
)
