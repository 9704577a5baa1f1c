"""What bears on runs beside their files, read once for a pass: decisions of people, verifications, the time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Engine

from core.base.ages import turning_points
from core.base.files import Problem
from core.catalog import verified
from core.catalog.known_folders import KnownFolder
from core.catalog.run_marks import RunMark, load_run_marks
from core.catalog.verified import VerifiedRow
from core.health.verified import BadTensor, Verified
from core.indexing.existing_prefixes import existing_prefixes
from core.indexing.options import Options
from core.indexing.rollup import RunInputs
from core.runfolder import decisions
from core.runfolder.run_folder import RunFolder
from core.stores.store import Store
from waypoint_resume.names import to_text


@dataclass(slots=True)
class PassContext:
    """The same for every run of a pass over one root."""

    root: str
    root_path: str
    options: Options
    now_us: int
    marks: dict[str, RunMark]
    results: Mapping[tuple[str, str], Verified]
    decided: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, engine: Engine, root: str, root_path: str, options: Options, now_ns: int) -> "PassContext":
        """Read from the catalog what it keeps of them."""
        with engine.connect() as connection:
            marks = load_run_marks(connection, root)
            rows = verified.load_verifications(connection, root)
        results = {place: _verified(row) for place, row in rows.items()}
        return cls(root, root_path, options, now_ns // 1000, marks, results)

    def settled(self, folders: Mapping[str, KnownFolder], store: Store) -> set[str]:
        """Runs whose row is there and would be made the same again, if none of their files changed."""
        return {run for run, mark in self.marks.items() if self._is_settled(run, mark, folders, store)}

    def _is_settled(self, run: str, mark: RunMark, folders: Mapping[str, KnownFolder], store: Store) -> bool:
        if not self._is_as_live(run, mark, folders):
            return False
        if self.is_rejudged(run):
            return False
        if mark.turns_us is not None and mark.turns_us <= self.now_us:
            return False
        there = {path for path, is_there in mark.outside.items() if is_there}
        if mark.outside and existing_prefixes(store, mark.outside) != there:
            return False
        return mark.decided == self._decided(run, folders)

    def is_rejudged(self, run: str) -> bool:
        """Whether older rules judged a run that is known."""
        return run in self.marks and self.marks[run].judged_by != self.options.stamp.rules

    def _is_as_live(self, run: str, mark: RunMark, folders: Mapping[str, KnownFolder]) -> bool:
        """Whether the row tells until when the run is live, and from when it is stale, as it would be told now."""
        live, stale = turning_points(mark.changed_us, mark.interval, self.options.ages)
        if live >= self.now_us:
            live, stale = turning_points(mark.changed_us, mark.interval, self.options.ages, self._ended(run, folders))
        is_over = max(live, mark.turning_points[0]) < self.now_us
        return (mark.turning_points[1] == stale) and (is_over or mark.turning_points[0] == live)

    def _ended(self, run: str, folders: Mapping[str, KnownFolder]) -> int | None:
        """Until when the jobs of a run wrote that are known to have ended (µs since the epoch)."""
        if not self._may_be_decided(run, folders):
            return None
        ended = self._run_folder(run).ended_ns(self.now_us * 1000)
        return None if ended is None else ended // 1000

    def _run_folder(self, run: str) -> RunFolder:
        return RunFolder.unchecked(self.root_path, self.root, run, self.options.decisions_dir)

    def _may_be_decided(self, run: str, folders: Mapping[str, KnownFolder]) -> bool:
        folder = folders.get("" if run == "." else run)
        return self.options.decisions_dir is not None or (folder is not None and folder.is_marker)

    def _decided(self, run: str, folders: Mapping[str, KnownFolder]) -> str:
        """The state of the decisions about a run; not looked for where its folder has no `.waypoint`."""
        if run not in self.decided:
            may_be = self._may_be_decided(run, folders)
            self.decided[run] = decisions.stamp(self._run_folder(run)) if may_be else ""
        return self.decided[run]

    def of(self, run: str, folders: Mapping[str, KnownFolder], problems: list[Problem]) -> RunInputs:
        """What bears on one run. Decisions that cannot be read become a problem."""
        decided, ended = self._decided(run, folders), self._ended(run, folders)
        inputs = RunInputs(
            now_us=self.now_us, verified=self.results, ended_us=ended, judged_by=self.options.stamp.rules
        )
        if not decided:
            return inputs
        found = decisions.read_decisions(self._run_folder(run))
        if found.problem is not None:
            problems.append(Problem(path=to_text(run), problem=found.problem))
        return replace(inputs, decided=decided, decisions=found)


def _verified(row: VerifiedRow) -> Verified:
    """The part of a verification's document (`core.verify.results.to_document`) that rules look at."""
    detail = json.loads(row.detail)
    bad = tuple(BadTensor(rule, name, values) for rule, name, _, values in detail["problems"])
    return Verified(row.identity, bad, detail["problem_count"] - len(bad))
