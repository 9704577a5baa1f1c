"""The ASGI application: `streamlit run app.py`. One indexer, the security headers, and /readyz.

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
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import CoreError
from pages._shared import service
from pages._shared.guard import OwnSite

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
    routes=[Route("/readyz", ready)],
)
