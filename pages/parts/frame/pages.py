"""The table of pages: a row each, from which navigation and the way back follow."""

from typing import Literal, NamedTuple


class PageRow(NamedTuple):
    """One page: its file, title, icon, whether the navigation shows it, and what a link back to it says."""

    file: str
    title: str
    icon: str
    visibility: Literal["visible", "hidden"]
    back: str


PAGES = (
    PageRow("overview.py", "Overview", ":material/dashboard:", "visible", "Overview"),
    PageRow("runs.py", "Runs", ":material/folder_open:", "visible", "All runs"),
    PageRow("run.py", "Run", ":material/folder:", "hidden", "The run"),
    PageRow("compare.py", "Compare", ":material/compare_arrows:", "visible", "The comparison"),
    PageRow("sweep.py", "Sweep", ":material/tune:", "hidden", "The sweep"),
    PageRow("checkpoints.py", "Checkpoints", ":material/save:", "visible", "All checkpoints"),
    PageRow("checkpoint.py", "Checkpoint", ":material/deployed_code:", "hidden", "The checkpoint"),
    PageRow("health.py", "Health", ":material/health_and_safety:", "visible", "Health"),
    PageRow("storage.py", "Storage", ":material/database:", "visible", "Storage"),
    PageRow("resume.py", "Resume", ":material/play_circle:", "visible", "Resume"),
)
