"""What jobs kept of what was handed over to them: where it lies, and a button that brings it back."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.base.errors import CoreError
from core.services import kept
from core.services.kept import Kept, is_back
from pages.parts.frame import answers, frame, links, service
from pages.parts.frame import format as fmt
from pages.parts.frame.text import md
from pages.parts.resume.manifests import Placed, act
from waypoint_resume.names import to_text

_NOTE = (
    "Before a job trains, it keeps a copy of what was handed over to it, for it may save over its own files. The copy "
    "goes when the manifest is finished and the original is unchanged."
)


def draw(placed: Sequence[Placed]) -> None:
    """What is kept in the runs of some manifests; nothing where nothing is."""
    runs = dict.fromkeys((root, run) for root, run, _ in placed)
    found = [(root, run, item) for root, run in runs for item in _kept(root, run)]
    if not found:
        return
    with frame.section("Kept", note=_NOTE):
        for root, run, item in found:
            _line(root, run, item)


def _kept(root: str, run: str) -> tuple[Kept, ...]:
    try:
        return kept.kept(service.workspace(), root, run)
    except CoreError:
        return ()


def _line(root: str, run: str, item: Kept) -> None:
    place = f"{kept.PLACE}/{item.manifest}"
    answers.place(f"kept-{item.manifest}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"{md(links.run_name(run))}: {md(to_text(item.path))}, {fmt.size(item.bytes)}, in {md(place)}",
            width="stretch",
        )
        if is_back(item):
            answers.button("Take away again", _away, root, run, item.manifest, key=f"away-{item.manifest}")
        else:
            answers.button("Bring back", _back, root, run, item.manifest, key=f"kept-{item.manifest}")


def _back(root: str, run: str, manifest: str) -> None:
    act(
        lambda: kept.bring_kept_back(service.workspace(), root, run, manifest),
        "Brought back beside the original, under a name with -kept.",
        undo=partial(_away, root, run, manifest),
    )


def _away(root: str, run: str, manifest: str) -> None:
    take = partial(kept.take_kept_away, service.workspace(), root, run, manifest)
    act(take, "Taken away; it is still kept.", undo=partial(_back, root, run, manifest))
