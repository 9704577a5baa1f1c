"""The cards of manifests that stand in their place: pending with what the job needs, claimed with what the job does."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from core.base.errors import CoreError
from core.services.job_code import client_version, is_older
from core.services.manifests import Claim, Manifest, ManifestEntry, ManifestState, set_aside
from core.services.quarantine import Stage
from core.services.resume import Heartbeat, Mode
from pages.parts.frame import answers, frame, links, reads
from pages.parts.frame import format as fmt
from pages.parts.frame.text import lines, md, md_lines, shown
from pages.parts.resume import job_code, manifests, pausing, receipt_card
from pages.parts.resume.manifests import ACCEPTED, Placed
from pages.parts.storage import batch_list
from waypoint_resume.names import from_text, to_text

_LISTED = 5
_BECAME = {Stage.UNDONE: "brought back", Stage.PURGED: "purged"}


def draw(placed: Sequence[Placed], now: datetime) -> None:
    """A card for each."""
    for root, run, entry in placed:
        answers.place(f"{entry.state.value}-{entry.manifest.id}")
        with st.container(border=True):
            _head(root, run, entry)
            _facts(entry, now)
            if entry.state is ManifestState.PENDING:
                _waiting(root, run, entry)
            elif entry.claim is not None:
                _job(root, run, entry, entry.claim, now)
                if entry.state is ManifestState.CLAIMED:
                    pausing.answer(root, run, now, key=f"pause-{entry.manifest.id}")
                receipt_card.draw(root, run, entry, now)
            _told(entry)
            if entry.state is not ManifestState.WITHDRAWN:
                _code(root, run, entry)


def _head(root: str, run: str, entry: ManifestEntry) -> None:
    manifest, place = entry.manifest, (root, run, entry.manifest.id)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
            frame.badge(entry.state.value)
            links.run_link(root, run, icon=":material/folder:")
            _checkpoint_link(root, run, manifest.whole_path)
        if entry.state is ManifestState.PENDING or (entry.state is ManifestState.CLAIMED and not _lives(root, run)):
            key, is_claimed = f"withdraw-{manifest.id}", entry.state is ManifestState.CLAIMED
            answers.button("Withdraw", manifests.withdraw, *place, is_claimed, key=key, icon=":material/undo:")
        elif entry.state is ManifestState.CLAIMED:
            pausing.button(root, run, place=f"{entry.state.value}-{manifest.id}", key=f"pause-{manifest.id}")
        elif entry.state is ManifestState.WITHDRAWN:
            key, again = f"undo-{manifest.id}", (*place, entry.claim is not None)
            answers.button("Undo", manifests.reinstate, *again, key=key, icon=":material/redo:")


def _facts(entry: ManifestEntry, now: datetime) -> None:
    manifest, restored = entry.manifest, entry.manifest.restore.optimizer
    with st.container(horizontal=True, gap="medium"):
        frame.fact("Step", fmt.number(manifest.checkpoint.step))
        frame.fact("Mode", manifests.mode(manifest), _origin(manifest))
        frame.fact("Optimizer", restored.value if restored else "depends on the job")
        handed = f"{fmt.exact(manifest.created_at)}, by {manifest.created_by}"
        frame.fact("Handed over", fmt.ago(manifest.created_at, now), handed)
        if entry.state is ManifestState.WITHDRAWN:
            frame.fact("Withdrawn", *_withdrawn(entry, now))
        if entry.claim is not None:
            claim = entry.claim
            frame.fact("Claimed", fmt.ago(claim.claimed_at, now), fmt.exact(claim.claimed_at))
            process = "" if claim.pid is None else f", process {claim.pid}"
            frame.fact("Job", claim.job or "not named", f"on {claim.host or 'an unknown host'}{process}")
            if entry.state is ManifestState.CLAIMED and is_older(claim.client):
                frame.fact(
                    "Client",
                    claim.client or "not told",
                    f"older than {client_version}, which is here: install it again",
                )
            if claim.checkpoint and claim.checkpoint != manifest.whole_path:
                frame.fact("Goes on from", claim.checkpoint, "newer, after a restart")


def _origin(manifest: Manifest) -> str | None:
    """From which run a fork came, as the check that `core.resume.fork` adds tells it."""
    detail = next((check.detail for check in manifest.checks if check.name == "forked from"), None)
    return None if detail is None else f"from {detail.partition(f', {manifest.checkpoint.path}: ')[0]}"


def _job(root: str, run: str, entry: ManifestEntry, claim: Claim, now: datetime) -> None:
    """Whether the job lives, what it met, and what it set aside."""
    if entry.state is ManifestState.CLAIMED:
        icon, words = pulse(reads.heartbeat(root, run), claim)
        st.markdown(f"{icon} {md(words)}")
    if claim.error is not None:
        when = "" if claim.error_at is None else f", {fmt.ago(claim.error_at, now)}"
        st.error(f"The job could not go on{when}:  \n{md_lines(claim.error)}", icon=":material/error:")
    if claim.rewound_at is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            became = _became(root, run, entry.manifest.id)
            then = f", and {became} since" if became else ""
            when = fmt.ago(claim.rewound_at, now)
            st.text(f"What came after the checkpoint was set aside {when}{then}.", width="content")
            if not became:
                query = {**links.run_query(root, run), links.BATCH: entry.manifest.id}
                st.page_link(links.STORAGE, label="Bring it back", icon=":material/database:", query_params=query)


def pulse(heartbeat: Heartbeat | None, claim: Claim) -> tuple[str, str]:
    """Whether the job of a claim lives: an icon, and a sentence."""
    again = "Started again, it goes on from there."
    if claim.ended is not None and (heartbeat is None or not heartbeat.is_fresh):
        step = "" if claim.ended_step is None else f" at step {claim.ended_step:,}"
        saved = f" It saved {claim.ended_checkpoint}." if claim.ended_checkpoint else " It saved nothing then."
        return ":gray[:material/pause_circle:]", f"The job was {claim.ended}{step}.{saved} {again}"
    if claim.error is not None:
        again = "Started again, it tries this manifest again. Withdraw it or hand over another checkpoint to end that."
    if heartbeat is None:
        return (
            ":gray[:material/heart_broken:]",
            f"No heartbeat: the job has ended, and did not say that it is done. {again}",
        )
    age = fmt.span(heartbeat.age)
    if not heartbeat.is_fresh:
        return ":orange[:material/heart_broken:]", f"No heartbeat for {age}: the job has ended or is stuck. {again}"
    if heartbeat.job != claim.job:
        return (
            ":orange[:material/warning:]",
            f"Another job works in this run: {heartbeat.job or 'not named'}, {age} ago.",
        )
    return ":green[:material/favorite:]", f"The job lives: heartbeat {age} ago."


def _waiting(root: str, run: str, entry: ManifestEntry) -> None:
    """What the claim will set aside. And a job that lives in the run has made its choice already."""
    if entry.manifest.mode is Mode.REWIND:
        st.text(_planned(entry))
    heartbeat = reads.heartbeat(root, run)
    if heartbeat is not None and heartbeat.is_fresh:
        st.markdown(
            f":orange[:material/warning:] A job works in this run now: {md(heartbeat.job or 'not named')}, heartbeat "
            f"{fmt.span(heartbeat.age)} ago. It takes the manifest only when it is started again."
        )


def _planned(entry: ManifestEntry) -> str:
    try:
        items = set_aside(entry)
    except (CoreError, OSError) as error:
        return shown(f"What it sets aside cannot be read, and no job claims it: {error}")
    names = [item.path for item in items if item.kind == "checkpoint"]
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return shown(f"When a job claims it, these are set aside: {', '.join(names[:_LISTED])}{more}.")


def _told(entry: ManifestEntry) -> None:
    manifest = entry.manifest
    if manifest.note:
        with st.container(gap=None):
            st.caption("Note")
            st.text(lines(manifest.note))
    if manifest.overrides:
        pairs = ", ".join(f"{name} = {value}" for name, value in manifest.overrides.items())
        st.caption(f"Overrides: {md(pairs)}")
    if manifest.warnings_accepted:
        words = "; ".join(ACCEPTED.get(warning, warning) for warning in manifest.warnings_accepted)
        st.caption(f"Warnings accepted: {md(words)}.")


def _code(root: str, run: str, entry: ManifestEntry) -> None:
    box = st.expander("Code for the job", icon=":material/code:", on_change="rerun", key=f"code-{entry.manifest.id}")
    if box.open:
        with box:
            job_code.show(root, run, entry.manifest)
            job_code.where(str(entry.path))
        if entry.state is ManifestState.PENDING:
            box.caption(
                "A script that reads it without `waypoint_resume` leaves it alone once "
                f"`.waypoint/withdrawn/{entry.manifest.id}.json` exists beside it."
            )


def _became(root: str, run: str, batch: str) -> str | None:
    """What became of what a rewind set aside; None while it lies there, and where that is not known."""
    found, _ = reads.batches((root, run))
    former = next((one for one in found if one.batch.id == batch and batch_list.is_former(one)), None)
    return None if former is None else _BECAME[former.batch.stage]


def _lives(root: str, run: str) -> bool:
    """Whether a job works in a run now."""
    heartbeat = reads.heartbeat(root, run)
    return heartbeat is not None and heartbeat.is_fresh


def _checkpoint_link(root: str, run: str, path: str) -> None:
    """A link to the checkpoint that a manifest names by its path within the run."""
    name = from_text(path)
    whole = name if run == "." else run if name == "." else f"{run}/{name}"
    query = {**links.run_query(root, run), "path": to_text(whole)}
    st.page_link(links.CHECKPOINT, label=md(path), icon=":material/deployed_code:", query_params=query)


def _withdrawn(entry: ManifestEntry, now: datetime) -> tuple[str, str]:
    """When and by whom a manifest was taken back, as far as the record of it can be read."""
    record = entry.withdrawal or {}
    who, at = str(record.get("actor") or "somebody"), str(record.get("at") or "")
    try:
        moment = datetime.fromisoformat(at)
        return fmt.ago(moment, now), f"{fmt.exact(moment)}, by {who}"
    except (ValueError, TypeError, OverflowError):  # TypeError: a time without its zone
        return "at an unknown time", f"by {who}"
