"""Rules over state files: each may name what is not there, or what lies elsewhere."""

import posixpath
from collections.abc import Collection, Iterable

from core.base.records import Finding, StateFile
from core.formats.state_file import base_of, is_foreign, is_misspelled
from core.health.rules import finding
from core.runs.state_files import lies_here_too, meant, target


def judge_state(state: StateFile, root_path: str, existing: Collection[str]) -> Iterable[Finding]:
    """Findings about one state file; none while it is being rewritten."""
    if state.writing or (is_foreign(state) and not _has_bundles(state, existing)):
        return
    if state.unreadable is not None or state.error is not None:
        yield finding("unreadable-state", state.path, f"{state.unreadable or state.error}.")
    if state.latest is None:
        return
    written = tuple(dict.fromkeys((state.latest, *state.history)))
    here = [path for path in written if lies_here_too(state, path, root_path, existing)]
    gone = [path for path in written if path not in here and _is_gone(state, path, root_path, existing)]
    if here:
        elsewhere, word = _folder_of(here[0]), "checkpoint" if len(here) == 1 else "checkpoints"
        verb = "copied" if target(state, here[0], root_path) in existing else "moved"
        yield finding(
            "moved-run",
            state.path,
            f"The run was {verb}: its state file names {len(here)} {word} in {elsewhere}; the same names lie here.",
        )
    if state.latest in gone:
        is_inside = target(state, state.latest, root_path) is not None
        why = "has no index" if is_inside else "lies outside of the root, where nothing is looked at"
        if meant(state, state.latest, existing) is not None:
            why = f"is no checkpoint's name: {base_of(state.latest)} is, and TensorFlow restores nothing by the other"
        yield finding("dangling-latest", state.path, f"The state file's latest, {state.latest}, {why}.")
        gone.remove(state.latest)
    if gone:
        shown = ", ".join(gone[:3]) if len(gone) <= 3 else f"{', '.join(gone[:3])} and {len(gone) - 3} more"
        yield finding("dangling-history", state.path, f"The state file lists what is not there: {shown}.")


def _is_gone(state: StateFile, written: str, root_path: str, existing: Collection[str]) -> bool:
    return is_misspelled(written) or target(state, written, root_path) not in existing


def _has_bundles(state: StateFile, existing: Collection[str]) -> bool:
    folder = posixpath.dirname(state.path)
    return any(posixpath.dirname(prefix) == folder for prefix in existing)


def _folder_of(written: str) -> str:
    """The folder of a path in a state file, as it is written there."""
    return written[: max(written.rstrip("/").rfind("/"), written.rfind("\\"))] or "/"
