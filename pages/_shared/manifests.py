"""Manifests as people see them: the card of one that stands in its place, the table of those that do not."""

from collections.abc import Callable, Sequence
from datetime import datetime

import streamlit as st

from core.errors import CoreError
from core.fs.names import from_text, to_text
from core.resume.history import ManifestEntry, ManifestState
from pages._shared import format as fmt
from pages._shared import frame, links, reads, service, tables
from pages._shared.tables import Column
from pages._shared.text import lines, md, md_lines, shown

Placed = tuple[str, str, ManifestEntry]  # root id, run, manifest
_PROBLEM, _DONE = "manifest_problem", "manifest_done"
# What a person accepted, in a few words; a test holds these ids against those of core.resume.cautions.
ACCEPTED = {
    "newer-not-restorable": "newer ones cannot be restored",
    "newer-restorable": "newer ones that can be restored are passed over",
    "contents-unknown": "contents not known",
    "findings": "findings about its files",
    "written-by-keras-2": "written by Keras 2",
    "optimizer-restarts": "optimizer starts anew",
    "optimizer-needs-build": "optimizer must be built before the restore",
    "legacy-hdf5": "Keras 3 may refuse the file",
    "optimizer-not-tried": "optimizer's return not tried",
    "step-unknown": "step not known",
    "epoch-unknown": "epoch not known for sure",
    "other-series": "other series are not handed over",
    "best-metric": "best metric so far not known to a new job",
    "run-is-live": "the run was live",
    "backup-pairs": "BackupAndRestore may pair weights and epoch wrongly",
    "backup-overrides": "BackupAndRestore may override it",
    "not-in-the-file": "random state, data position and callbacks are in no checkpoint",
}


def card(root: str, run: str, entry: ManifestEntry, now: datetime) -> None:
    """A pending manifest with a button that takes it back, or one just taken back with a button that undoes that."""
    manifest, place = entry.manifest, (root, run, entry.manifest.id)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
                frame.badge(entry.state.value)
                links.run_link(root, run, icon=":material/folder:")
                _checkpoint_link(root, run, manifest.checkpoint.path)
            if entry.state is ManifestState.PENDING:
                st.button(
                    "Withdraw", key=f"withdraw-{manifest.id}", icon=":material/undo:", on_click=_withdraw, args=place
                )
            else:
                st.button("Undo", key=f"undo-{manifest.id}", icon=":material/redo:", on_click=_reinstate, args=place)
        with st.container(horizontal=True, gap="medium"):
            restored = manifest.restore.optimizer
            frame.fact("Step", fmt.number(manifest.checkpoint.step))
            handed = f"{fmt.exact(manifest.created_at)}, by {manifest.created_by}"
            frame.fact("Handed over", fmt.ago(manifest.created_at, now), handed)
            if entry.state is ManifestState.WITHDRAWN:
                frame.fact("Withdrawn", *_withdrawn(entry, now))
            frame.fact("Mode", manifest.mode.value)
            frame.fact("Optimizer", restored.value if restored else "depends on the job")
        if manifest.note:
            with st.container(gap=None):
                st.caption("Note")
                st.text(lines(manifest.note))
        if manifest.warnings_accepted:
            words = "; ".join(ACCEPTED.get(warning, warning) for warning in manifest.warnings_accepted)
            st.caption(f"Warnings accepted: {md(words)}.")
        st.code(shown(str(entry.path)), language=None)
        if entry.state is ManifestState.PENDING:
            st.caption(
                "The job must read this `resume_manifest.json` and restore what it names, unless "
                f"`.waypoint/withdrawn/{manifest.id}.json` exists beside it: `docs/resume.md` has a script that does."
            )


def table(entries: Sequence[Placed], now: datetime, *, key: str) -> None:
    """Manifests of one state, the newest first; a row opens its run."""
    columns = (
        Column[Placed](head="run", cell=lambda item: shown(links.run_name(item[1])), name=True),
        Column[Placed](head="checkpoint", cell=lambda item: shown(item[2].manifest.checkpoint.path)),
        Column[Placed](head="step", cell=lambda item: fmt.number(item[2].manifest.checkpoint.step), right=True),
        Column[Placed](head="by", cell=lambda item: shown(item[2].manifest.created_by)),
        Column[Placed](head="handed over", cell=lambda item: fmt.ago(item[2].manifest.created_at, now)),
        Column[Placed](head="at (UTC)", cell=lambda item: fmt.exact(item[2].manifest.created_at, zone=False)),
        Column[Placed](head="note", cell=lambda item: shown(item[2].manifest.note)),
        Column[Placed](head="file", cell=lambda item: shown(str(item[2].path))),
    )
    opens = (links.RUN, lambda item: links.run_query(item[0], item[1]))
    tables.show(columns, entries[: tables.PAGE_ROWS], key=key, alt="Manifests, one a row", opens=opens)
    if len(entries) > tables.PAGE_ROWS:
        st.caption(f"The newest {tables.PAGE_ROWS:,} of {len(entries):,}.")


def outcome() -> None:
    """What the last click did, or what went wrong with it, once."""
    if done := st.session_state.pop(_DONE, None):
        st.toast(done, icon=":material/check_circle:", duration="long")
    if text := st.session_state.pop(_PROBLEM, None):
        st.error(md_lines(text), icon=":material/error:")


def _checkpoint_link(root: str, run: str, path: str) -> None:
    """A link to the checkpoint that a manifest names by its path within the run."""
    name = from_text(path)
    whole = name if run == "." else run if name == "." else f"{run}/{name}"
    query = {**links.run_query(root, run), "path": to_text(whole)}
    st.page_link(links.CHECKPOINT, label=md(path), icon=":material/deployed_code:", query_params=query)


def _withdraw(root: str, run: str, manifest_id: str) -> None:
    _act(
        lambda: service.workspace().withdraw(root, run, manifest_id),
        "Withdrawn: jobs leave it alone. Undo it below.",
    )


def _reinstate(root: str, run: str, manifest_id: str) -> None:
    _act(
        lambda: service.workspace().reinstate(root, run, manifest_id),
        "Undone: it is pending again, and the next job that reads it resumes from there.",
    )


def _withdrawn(entry: ManifestEntry, now: datetime) -> tuple[str, str]:
    """When and by whom a manifest was taken back, as far as the record of it can be read."""
    record = entry.withdrawal or {}
    who, at = str(record.get("actor") or "somebody"), str(record.get("at") or "")
    try:
        moment = datetime.fromisoformat(at)
        return fmt.ago(moment, now), f"{fmt.exact(moment)}, by {who}"
    except (ValueError, TypeError, OverflowError):  # TypeError: a time without its zone
        return "at an unknown time", f"by {who}"


def _act(action: Callable[[], None], done: str) -> None:
    try:
        action()
        reads.pending_count.clear()
        st.session_state[_DONE] = done
    except CoreError as error:
        st.session_state[_PROBLEM] = str(error)
    except OSError as error:
        st.session_state[_PROBLEM] = f"{to_text(str(error.filename or ''))}: {error.strerror}"
