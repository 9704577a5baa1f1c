"""The script that Streamlit runs for every URL: page config, gate, navigation."""

from pathlib import Path

import streamlit as st

from pages.parts.frame import acting, frame
from pages.parts.frame.pages import PAGES

# Pictures of our own: for a Material icon as favicon the browser would ask another host.
PICTURES = Path(__file__).parent / "parts/frame"

st.set_page_config(page_title="Waypoint", page_icon=PICTURES / "icon.svg", layout="wide")
st.logo(PICTURES / "logo.svg", size="large")


def gate() -> None:
    """Where a login will stand: no page is reached past it. For now everybody may pass."""


gate()
page = st.navigation(
    [
        st.Page(row.file, title=row.title, icon=row.icon, visibility=row.visibility, default=row is PAGES[0])
        for row in PAGES
    ],
    position="top",
)
acting.begin(page.url_path)
frame.run(page)
