"""The script that Streamlit runs for every URL: page config, gate, navigation."""

import streamlit as st

from pages._shared import frame

PAGES = {
    "overview.py": ("Overview", ":material/dashboard:", "visible"),
    "runs.py": ("Runs", ":material/folder_open:", "visible"),
    "run.py": ("Run", ":material/folder:", "hidden"),
    "checkpoints.py": ("Checkpoints", ":material/save:", "visible"),
    "checkpoint.py": ("Checkpoint", ":material/deployed_code:", "hidden"),
    "resume.py": ("Resume", ":material/play_circle:", "visible"),
}

st.set_page_config(page_title="Waypoint", page_icon=":material/pin_drop:", layout="wide")


def gate() -> None:
    """Where a login will stand: no page is reached past it. For now everybody may pass."""


gate()
page = st.navigation(
    [
        st.Page(file, title=title, icon=icon, visibility=visibility, default=file == "overview.py")  # type: ignore[arg-type]
        for file, (title, icon, visibility) in PAGES.items()
    ]
)
frame.run(page)
