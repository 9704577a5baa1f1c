"""Sweeps and trials as pages, shell and plans ask for them: each with its run, its size, and its place."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.base.errors import AmbiguousError, NotFoundError
from core.base.records import Run
from core.catalog.filters import RunFilter
from core.catalog.sweeps import parent_of
from core.services.workspace import Workspace, relative
from core.stores.local import LocalStore
from core.sweeps.places import Peers, TrialPlace, ordinal, score_text
from core.sweeps.reading import SOURCES, read_trial
from core.sweeps.records import Direction, Sweep, SweepKind, Trial
from waypoint_resume.names import to_text

__all__ = [
    "SOURCES",
    "Direction",
    "Sweep",
    "SweepKind",
    "Trial",
    "TrialPlaces",
    "TrialResult",
    "find_sweep",
    "ordinal",
    "parent_of",
    "runs_of",
    "score_text",
    "trial_results",
]


class TrialPlaces:
    """The places of trials in their sweeps, as the catalog has them; each sweep is read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._peers: dict[tuple[str, str], Peers | None] = {}

    def of(self, run: Run) -> TrialPlace | None:
        """The place of a run, its own file read again; None where the run is no trial."""
        peers = self._of_sweep(run.root, parent_of(run.path)) if run.path != "." else None
        trial = None if peers is None else peers.trials.get(run.path)
        if peers is None or trial is None:
            return None
        return TrialPlace(trial=trial, peers=peers, changed=self._changed(run, trial))

    def _of_sweep(self, root: str, path: str) -> Peers | None:
        if (root, path) not in self._peers:
            sweep = self._workspace.sweeps.sweep(root, path)
            self._peers[root, path] = None
            if sweep is not None:
                trials = self._workspace.sweeps.trials(root, path)
                runs = runs_of(self._workspace, root, path)
                self._peers[root, path] = Peers(sweep, trials, [one.path for one in runs.values() if one.restorable])
        return self._peers[root, path]

    def _changed(self, run: Run, known: Trial) -> str | None:
        """Why what the catalog has of a trial may be old."""
        store = LocalStore(self._workspace.root(run.root).path)
        try:
            names = [file.name for file in store.members(run.path).files]
        except OSError as error:
            return f"the folder of its trial cannot be listed: {error.strerror}"
        found = read_trial(store, run.path, names)
        if found is None or found.metrics != known.metrics or found.params != known.params:
            return "what its tuner wrote has changed since the last look"
        is_told_here = known.kind is SweepKind.KERAS_TUNER
        if is_told_here and (found.status, found.score) != (known.status, known.score):
            return "what its tuner wrote has changed since the last look"
        return None


def runs_of(workspace: Workspace, root: str, sweep: str) -> dict[str, Run]:
    """The runs of a sweep's trials, by path: of those that hold something."""
    where = RunFilter(root=root, sweep=sweep)
    found = workspace.reader.runs(where, workspace.now(), sort="path", descending=False, limit=None).items
    return {run.path: run for run in found}


def find_sweep(workspace: Workspace, text: str) -> Sweep:
    """A sweep named as people name it: relative to a root, or an absolute path inside one.

    NotFoundError for none, AmbiguousError where roots share the name.
    """
    found: list[Sweep] = []
    for root in workspace.reader.roots():
        name = relative(text, root.path)
        sweep = None if name is None else workspace.sweeps.sweep(root.id, "" if name == "." else name)
        if sweep is not None:
            found.append(sweep)
    if not found:
        raise NotFoundError(f"There is no sweep {to_text(text)!r}; `sweeps` lists them.")
    if len(found) > 1:
        places = ", ".join(to_text(workspace.absolute(one.root, one.path)) for one in found)
        raise AmbiguousError(f"{to_text(text)!r} is a sweep in several roots: {places}. Give one of these paths.")
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """A trial and its sweep."""

    sweep: Sweep
    trial: Trial

    @property
    def text(self) -> str:
        """How it did, in short: `val_loss 0.31, 2nd of 12`, or why that is not known."""
        trial, told = self.trial, self.trial.status.value
        if trial.score is not None:
            told = score_text(self.sweep.objective.name, trial.score)
        if trial.rank is not None:
            return f"{told}, {ordinal(trial.rank)} of {self.sweep.ranked:,}"
        return f"{told}, {trial.status.value}" if trial.score is not None else told


def trial_results(workspace: Workspace, runs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], TrialResult]:
    """How those of some runs (root and path) did that are trials."""
    paths: dict[str, list[str]] = {}
    for root, path in runs:
        paths.setdefault(root, []).append(path)
    found: dict[tuple[str, str], TrialResult] = {}
    for root, here in paths.items():
        trials = workspace.sweeps.trials_at(root, here)
        sweeps = {path: workspace.sweeps.sweep(root, path) for path in {parent_of(trial) for trial in trials}}
        for path, trial in trials.items():
            sweep = sweeps[parent_of(path)]
            if sweep is not None:
                found[root, path] = TrialResult(sweep=sweep, trial=trial)
    return found
