"""How a job gets the client: from this dashboard, by the address under which the browser reached it."""

import re
from urllib.parse import urlsplit

import streamlit as st

from core.services.job_code import wheel_name
from pages.parts.frame.guard import is_own, own_names

_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def pip_line(host: str | None, url: str | None) -> str | None:
    """What installs the client from here; None where the request tells no address that is this server's.

    `host` is the request's Host header, `url` what the browser says it shows: its scheme alone counts.
    """
    if host is None or not _HOST.fullmatch(host) or not is_own(host, own_names()):
        return None
    scheme = "https" if urlsplit(url or "").scheme == "https" else "http"
    return f"pip install {scheme}://{host}/client/{wheel_name()}"


def show() -> None:
    """The line, to be copied."""
    line = pip_line(st.context.headers.get("host"), st.context.url)
    st.caption(
        "The job needs the package that the code imports: pure Python 3.9 or newer, without dependencies. "
        + ("Where this dashboard can be reached, install it so:" if line else "In a copy of Waypoint's checkout:")
    )
    st.code(line or "pip install ./client", language="sh", wrap_lines=True)
