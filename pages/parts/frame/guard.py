"""Who may speak to the server: only pages of its own, under a name that is its own.

Another site can let its own host name point at 127.0.0.1 and read this server through the visitor's browser (DNS
rebinding). Such a request still bears the foreign name, so an unknown name is refused; addresses are no names.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPTION = "browser.serverAddress"


def own_names() -> frozenset[str]:
    """The host names that this server answers to, beside addresses and localhost."""
    machine = socket.gethostname().lower()
    options: Iterable[str | None] = (st.get_option("server.address"), st.get_option(OPTION))
    return frozenset({machine, machine.partition(".")[0], *(name.lower() for name in options if name)})


def is_own(host: str | None, names: frozenset[str]) -> bool:
    """Whether a Host header or an origin's host is this server's."""
    name = urlsplit(f"//{host or ''}").hostname or ""
    if name in names or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


class OwnSite:
    """Refuses what comes under a foreign name, and websockets that pages of other sites open."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] in ("http", "websocket"):
            refusal = _refusal(Headers(scope=scope), is_socket=scope["type"] == "websocket")
            if refusal is not None:
                await _refuse(refusal, scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refusal(headers: Headers, *, is_socket: bool) -> str | None:
    names = own_names()
    host = headers.get("host")
    if not is_own(host, names):
        return f"This server does not answer to that name. If it should, start it with --{OPTION} NAME."
    origin = headers.get("origin")
    if not is_socket or origin is None:
        return None
    came_from = urlsplit(origin).netloc
    is_same = came_from == host or (urlsplit(origin).hostname or "") == (st.get_option(OPTION) or "").lower()
    return None if is_same else "Pages of other sites may not connect to this server."


async def _refuse(text: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": text})
    else:
        await PlainTextResponse(text, status_code=403)(scope, receive, send)
