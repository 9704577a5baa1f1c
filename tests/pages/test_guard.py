"""Only pages of the server itself may speak to it."""

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from pages.parts.frame.guard import OwnSite, is_own


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8501", True),
        ("[::1]:8501", True),
        ("192.168.3.4", True),
        ("localhost:8501", True),
        ("LOCALHOST", True),
        ("lab.localhost:1", True),
        ("trainer", True),
        ("evil.example:8501", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_addresses_and_own_names_are_own(host: str | None, expected: bool) -> None:
    assert is_own(host, frozenset({"trainer"})) is expected


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts everything."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        await PlainTextResponse("hello")(scope, receive, send)


def sent(kind: str, **headers: str) -> list[Message]:
    """What comes back for a request with these headers."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": f"{kind}.connect" if kind == "websocket" else "http.request", "body": b""}

    async def send(message: Message) -> None:
        messages.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": "GET", "path": "/", "headers": raw}
    asyncio.run(OwnSite(hello)(scope, receive, send))
    return messages


def test_a_foreign_name_is_refused_with_the_remedy() -> None:
    assert [sent("http", host=name)[0]["status"] for name in ("127.0.0.1:8501", socket.gethostname())] == [200, 200]
    start, body = sent("http", host="evil.example:8501")
    assert start["status"] == 403
    assert b"--browser.serverAddress" in body["body"]


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("127.0.0.1:8501", "http://127.0.0.1:8501", "websocket.accept"),
        ("evil.example", "http://evil.example", "websocket.close"),
        ("127.0.0.1:8501", "http://evil.example", "websocket.close"),
        ("127.0.0.1:8501", "http://127.0.0.1:9999", "websocket.close"),
        ("127.0.0.1:8501", "null", "websocket.close"),
    ],
    ids=["own", "rebound", "other-site", "other-port", "no-site"],
)
def test_only_own_pages_open_a_socket(host: str, origin: str, expected: str) -> None:
    assert [message["type"] for message in sent("websocket", host=host, origin=origin)] == [expected]


def test_a_client_that_is_no_browser_names_no_origin() -> None:
    assert sent("websocket", host="127.0.0.1:8501")[0]["type"] == "websocket.accept"
