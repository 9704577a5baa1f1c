"""Rules over a folder's bundles and its state file together: what is listed, and whether the latest is the newest."""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from core.base.records import Checkpoint, Finding, Severity, StateFile
from core.formats.state_file import NAME, base_of
from core.health.rule import Family, Rule
from core.health.run_facts import RunFacts
from core.runs.state_files import is_nameable, target
from waypoint_resume.file_names import read_name
from waypoint_resume.names import to_text

NO_SAVED_MODEL = Rule(
    id="no-saved-model",
    family=Family.FILES,
    severity=Severity.WARNING,
    meaning="A SavedModel's variables without its saved_model.pb.",
    why="The export was killed before it wrote the file, or the file was not copied.",
    action="TensorFlow loads no model from it. Bring the .pb back, or read the variables into a model built by code.",
)
UNTRACKED = Rule(
    id="untracked",
    family=Family.FILES,
    severity=Severity.INFO,
    meaning="It is complete, but the state file of its folder does not list it.",
    why="It was kept on purpose (`keep_checkpoint_every_n_hours`, a copy), or its manager forgot it.",
    action="Nothing, if it is kept on purpose. TensorFlow will never rotate it: a retention policy can.",
)
LATEST_NOT_NEWEST = Rule(
    id="latest-not-newest",
    family=Family.STATE,
    severity=Severity.INFO,
    meaning="The state file names a latest checkpoint although a newer one can be restored.",
    why="Perhaps set by hand, to go on from an older one; or the job was killed before it wrote the state file.",
    action="Nothing, if it is meant so. Else let the state file name the newest, or resume by a manifest.",
)
SHARED_STATE = Rule(
    id="shared-state",
    family=Family.STATE,
    severity=Severity.WARNING,
    meaning="The state file lists checkpoints of two series.",
    why="Two CheckpointManagers save into one folder: each takes what the other has listed for its own.",
    action="The next save of one deletes checkpoints of the other: give each a folder of its own.",
)
NO_STATE = Rule(
    id="no-state",
    family=Family.STATE,
    severity=Severity.INFO,
    meaning="There are checkpoints, but no state file beside them.",
    why="They were saved with `Checkpoint.write` or copied without it.",
    action="tf.train.latest_checkpoint will find nothing here: resume by a manifest, or let a state file be written.",
)
RULES = (
    NO_SAVED_MODEL,
    UNTRACKED,
    LATEST_NOT_NEWEST,
    SHARED_STATE,
    NO_STATE,
)

_VARIABLES = "/variables/variables"
_LONE = "It is the variables of a SavedModel, and there is no saved_model.pb or saved_model.pbtxt above its folder."


def findings(facts: RunFacts) -> Iterable[Finding]:
    """Findings about the bundles of a run."""
    yield from judge_listing(facts.series, facts.states, facts.root_path)
    for item in _lone_variables(facts):
        if item.saved_at <= facts.now - facts.grace:
            yield NO_SAVED_MODEL.finding(item.path, _LONE)


def due(facts: RunFacts) -> Iterable[datetime]:
    """When `no-saved-model` is told of those that are young: TensorFlow writes the .pb last."""
    return (item.saved_at + facts.grace for item in _lone_variables(facts) if item.saved_at > facts.now - facts.grace)


def _lone_variables(facts: RunFacts) -> list[Checkpoint]:
    """SavedModels' variables without a saved_model.pb beside their folder; with one they are a part of the SavedModel
    and no checkpoint.
    """
    return [item for item in facts.members if is_nameable(item) and f"/{item.path}".endswith(_VARIABLES)]


def judge_listing(
    series: Sequence[Sequence[Checkpoint]], states: Sequence[StateFile], root_path: str
) -> Iterable[Finding]:
    """Findings about the complete bundles of a run; each series is ordered, newest last."""
    by_folder: dict[str, list[Checkpoint]] = {}
    for item in (item for one in series for item in one if is_nameable(item) and item.restorable):
        by_folder.setdefault(item.folder, []).append(item)
    known: dict[str, list[StateFile]] = {}
    for state in sorted(states, key=lambda state: posixpath.basename(state.path) != NAME):
        known.setdefault(posixpath.dirname(state.path), []).append(state)
    for folder, items in by_folder.items():
        beside = known.get(folder)
        if beside is None:
            count = (
                f"{len(items):,} checkpoints are complete"
                if len(items) > 1
                else f"{to_text(items[0].path)} is complete"
            )
            yield NO_STATE.finding(folder or ".", f"{count}, and there is no file `checkpoint` here.")
        elif beside[0].latest is not None:
            yield from _untracked(items, beside, root_path)
    for state in states:
        yield from _latest(series, state, root_path)
        yield from _shared(series, state, root_path)


def _shared(series: Sequence[Sequence[Checkpoint]], state: StateFile, root_path: str) -> Iterable[Finding]:
    """Two CheckpointManagers in one folder: each reads the other's list when it begins, and rotates all of it."""
    listed = {target(state, written, root_path) for written in state.history} - {None}
    known = (item for one in series for item in one if item.path in listed and is_nameable(item))
    stems = sorted({read_name(posixpath.basename(item.path)).stem for item in known})
    if len(stems) > 1:
        names = " and ".join(to_text(stem).replace("#", "N") for stem in stems[:3])
        yield SHARED_STATE.finding(state.path, f"It lists checkpoints of {len(stems)} series: {names}.")


def _untracked(items: Iterable[Checkpoint], beside: Sequence[StateFile], root_path: str) -> Iterable[Finding]:
    state = beside[0]
    listed = {path: written for one in beside for path, written in places(one, root_path).items()}
    number = len(set(listed.values()))
    name = to_text(state.path)
    reason = (
        f"{name} lists only one, and not this." if number == 1 else f"It is not among the {number:,} that {name} lists."
    )
    for item in items:
        if item.path not in listed:
            yield UNTRACKED.finding(item.path, reason)


def places(state: StateFile, root_path: str) -> Mapping[str, str]:
    """What a state file lists, by its path relative to the root; absolute paths of another place count as the same
    names here.
    """
    folder = posixpath.dirname(state.path)
    found: dict[str, str] = {}
    for written in dict.fromkeys((*state.history, state.latest)):
        if written is None:
            continue
        found[posixpath.join(folder, base_of(written))] = written
        if (inside := target(state, written, root_path)) is not None:
            found[inside] = written
    return found


def _latest(series: Sequence[Sequence[Checkpoint]], state: StateFile, root_path: str) -> Iterable[Finding]:
    inside = None if state.latest is None else target(state, state.latest, root_path)
    if inside is None:
        return
    for one in series:
        whole = [item for item in one if item.restorable and is_nameable(item)]
        named = next((item for item in whole if item.path == inside), None)
        if named is not None and whole[-1] is not named:
            reason = f"It names {_told(named)}; {_told(whole[-1])} is newer."
            yield LATEST_NOT_NEWEST.finding(state.path, reason)


def _told(item: Checkpoint) -> str:
    step = item.facts.step
    name = to_text(posixpath.basename(item.path))
    return name if step is None else f"{name} (step {step.value:,})"
