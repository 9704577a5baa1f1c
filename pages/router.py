"""The script that Streamlit runs for every URL: page config, gate, navigation."""

from pathlib import Path

import streamlit as st

from pages.parts.frame import frame

PAGES = {
    "overview.py": ("Overview", ":material/dashboard:", "visible"),
    "runs.py": ("Runs", ":material/folder_open:", "visible"),
    "run.py": ("Run", ":material/folder:", "hidden"),
    "sweep.py": ("Sweep", ":material/tune:", "hidden"),
    "checkpoints.py": ("Checkpoints", ":material/save:", "visible"),
    "checkpoint.py": ("Checkpoint", ":material/deployed_code:", "hidden"),
    "health.py": ("Health", ":material/health_and_safety:", "visible"),
    "storage.py": ("Storage", ":material/database:", "visible"),
    "resume.py": ("Resume", ":material/play_circle:", "visible"),
}

# Pictures of our own: for a Material icon as favicon the browser would ask another host.
PICTURES = Path(__file__).parent / "parts/frame"

st.set_page_config(page_title="Waypoint", page_icon=PICTURES / "icon.svg", layout="wide")
st.logo(PICTURES / "logo.svg", size="large")


def gate() -> None:
    """Where a login will stand: no page is reached past it. For now everybody may pass."""


gate()
page = st.navigation(
    [
        st.Page(file, title=title, icon=icon, visibility=visibility, default=file == "overview.py")  # type: ignore[arg-type]
        for file, (title, icon, visibility) in PAGES.items()
    ],
    position="top",
)
frame.run(page)
