"""Rules over state files: each may name what is not there, or what lies elsewhere."""

import posixpath
from collections.abc import Collection, Iterable

from core.base.records import Finding, Severity, StateFile
from core.formats.state_file import base_of, is_denied, is_foreign, is_misspelled
from core.health.files import NO_PERMISSION
from core.health.rule import Family, Rule
from core.health.run_facts import RunFacts
from core.runs.state_files import lies_here_too, meant, target

DANGLING_LATEST = Rule(
    id="dangling-latest",
    family=Family.STATE,
    severity=Severity.ERROR,
    meaning="The state file names a latest checkpoint that is not there.",
    why="Its files were deleted or moved without the state file.",
    action="Let the state file name a checkpoint that is there, or the job will start from nothing.",
)
DANGLING_HISTORY = Rule(
    id="dangling-history",
    family=Family.STATE,
    severity=Severity.WARNING,
    meaning="The state file lists checkpoints that are not there.",
    why="Their files were deleted or moved without the state file.",
    action="Harmless for resuming; the next rotation will try to delete them.",
)
MOVED_RUN = Rule(
    id="moved-run",
    family=Family.STATE,
    severity=Severity.WARNING,
    meaning="The state file holds paths of another place, or of Windows; the same names lie here.",
    why="The run was moved or copied after training.",
    action="tf.train.latest_checkpoint will not find these checkpoints: resume by a manifest, or mend the state file.",
)
UNREADABLE_STATE = Rule(
    id="unreadable-state",
    family=Family.STATE,
    severity=Severity.ERROR,
    meaning="The state file cannot be read.",
    why="A full disk, a save that was killed, or an edit by hand.",
    action="tf.train.latest_checkpoint fails or finds nothing: resume by a manifest, or mend the state file.",
)
RULES = (
    DANGLING_LATEST,
    DANGLING_HISTORY,
    MOVED_RUN,
    UNREADABLE_STATE,
)


def findings(facts: RunFacts) -> Iterable[Finding]:
    """Findings about the state files of a run."""
    return (one for state in facts.states for one in judge_state(state, facts.root_path, facts.existing))


def judge_state(state: StateFile, root_path: str, existing: Collection[str]) -> Iterable[Finding]:
    """Findings about one state file; none while it is being rewritten."""
    if state.writing or (is_foreign(state) and not _has_bundles(state, existing)):
        return
    if is_denied(state):
        yield NO_PERMISSION.finding(state.path, f"{posixpath.basename(state.path)}: {state.unreadable}.")
    elif state.unreadable is not None or state.error is not None:
        yield UNREADABLE_STATE.finding(state.path, f"{state.unreadable or state.error}.")
    if state.latest is None:
        return
    written = tuple(dict.fromkeys((state.latest, *state.history)))
    here = [path for path in written if lies_here_too(state, path, root_path, existing)]
    gone = [path for path in written if path not in here and _is_gone(state, path, root_path, existing)]
    if here:
        elsewhere, word = _folder_of(here[0]), "checkpoint" if len(here) == 1 else "checkpoints"
        verb = "copied" if target(state, here[0], root_path) in existing else "moved"
        yield MOVED_RUN.finding(
            state.path,
            f"The run was {verb}: its state file names {len(here)} {word} in {elsewhere}; the same names lie here.",
        )
    if state.latest in gone:
        is_inside = target(state, state.latest, root_path) is not None
        why = "has no index" if is_inside else "lies outside of the root, where nothing is looked at"
        if meant(state, state.latest, existing) is not None:
            why = f"is no checkpoint's name: {base_of(state.latest)} is, and TensorFlow restores nothing by the other"
        yield DANGLING_LATEST.finding(state.path, f"The state file's latest, {state.latest}, {why}.")
        gone.remove(state.latest)
    if gone:
        shown = ", ".join(gone[:3]) if len(gone) <= 3 else f"{', '.join(gone[:3])} and {len(gone) - 3} more"
        yield DANGLING_HISTORY.finding(state.path, f"The state file lists what is not there: {shown}.")


def _is_gone(state: StateFile, written: str, root_path: str, existing: Collection[str]) -> bool:
    return is_misspelled(written) or target(state, written, root_path) not in existing


def _has_bundles(state: StateFile, existing: Collection[str]) -> bool:
    folder = posixpath.dirname(state.path)
    return any(posixpath.dirname(prefix) == folder for prefix in existing)


def _folder_of(written: str) -> str:
    """The folder of a path in a state file, as it is written there."""
    return written[: max(written.rstrip("/").rfind("/"), written.rfind("\\"))] or "/"
