"""Sweeps and trials in the catalog: rows, writing, reading."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, func, insert, select

from core.catalog.rows import bounded
from core.catalog.tables import runs, sweeps, trials
from core.sweeps.records import Direction, Objective, Sweep, SweepKind, Trial, TrialMetric, TrialStatus
from waypoint_resume.names import from_text, to_text

_CHUNK = 400


def parent_of(path: str) -> str:
    """The sweep that a trial's folder belongs to; '' is the root itself."""
    return path.rpartition("/")[0]


def store_read(connection: Connection, root: str, read: Mapping[str, Trial | None]) -> None:
    """Note what was read in some folders. The sweeps that this may change are to be ranked anew."""
    forget_trials(connection, root, read)
    _insert(connection, root, [trial for trial in read.values() if trial is not None])


def forget_trials(connection: Connection, root: str, folders: Iterable[str]) -> None:
    """Forget the trials in some folders; the sweeps of them, or that they are, are to be ranked anew."""
    texts = [to_text(path) for path in folders]
    around = list({*texts, *(parent_of(path) for path in texts)})
    for part in _chunks(texts):
        connection.execute(delete(trials).where(trials.c.root == root, trials.c.path.in_(part)))
    for part in _chunks(around):
        connection.execute(delete(sweeps).where(sweeps.c.root == root, sweeps.c.path.in_(part)))


def unranked(engine: Engine, root: str) -> dict[str, tuple[Trial, ...]]:
    """The sweeps to be ranked, by path, with their trials."""
    known = select(sweeps.c.path).where(sweeps.c.root == root)
    query = select(trials).where(trials.c.root == root, trials.c.sweep.not_in(known)).order_by(trials.c.path)
    found: dict[str, list[Trial]] = {}
    with engine.connect() as connection:
        for row in connection.execute(query).mappings():
            found.setdefault(from_text(row["sweep"]), []).append(trial_from_row(row))
    return {path: tuple(items) for path, items in found.items()}


def store_sweep(connection: Connection, sweep: Sweep, items: Sequence[Trial]) -> None:
    """Replace a sweep and all of its trials."""
    path = to_text(sweep.path)
    connection.execute(delete(trials).where(trials.c.root == sweep.root, trials.c.sweep == path))
    connection.execute(delete(sweeps).where(sweeps.c.root == sweep.root, sweeps.c.path == path))
    _insert(connection, sweep.root, items)
    row = {
        "root": sweep.root,
        "path": path,
        "kind": sweep.kind.value,
        "objective": sweep.objective.name,
        "direction": sweep.objective.direction,
        "trials": sweep.trials,
        "ranked": sweep.ranked,
        "best": None if sweep.best is None else to_text(sweep.best),
        "best_score": sweep.best_score,
        "problem": sweep.problem,
    }
    connection.execute(insert(sweeps), [row])


class SweepReader:
    """Reading the sweeps of some roots, given by their ids."""

    def __init__(self, engine: Engine, root_ids: Iterable[str]) -> None:
        self._engine = engine
        self._roots = tuple(root_ids)

    def sweeps(self) -> tuple[Sweep, ...]:
        """Every sweep, by path."""
        query = select(sweeps).where(sweeps.c.root.in_(self._roots)).order_by(sweeps.c.path, sweeps.c.root)
        with self._engine.connect() as connection:
            return tuple(_sweep_from_row(row) for row in connection.execute(query).mappings())

    def sweep(self, root: str, path: str) -> Sweep | None:
        """One sweep; None where the catalog knows none in this folder."""
        query = select(sweeps).where(
            sweeps.c.root.in_(self._roots), sweeps.c.root == root, sweeps.c.path == to_text(path)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _sweep_from_row(row)

    def sizes(self) -> dict[tuple[str, str], int]:
        """The bytes in the runs of each sweep's trials, by root and path."""
        joined = trials.join(runs, (trials.c.root == runs.c.root) & (trials.c.path == runs.c.path))
        query = (
            select(trials.c.root, trials.c.sweep, func.sum(runs.c.bytes))
            .select_from(joined)
            .where(trials.c.root.in_(self._roots))
            .group_by(trials.c.root, trials.c.sweep)
        )
        with self._engine.connect() as connection:
            return {(root, from_text(path)): int(size) for root, path, size in connection.execute(query)}

    def trials(self, root: str, sweep: str) -> tuple[Trial, ...]:
        """The trials of a sweep, the best first, those without a rank last."""
        query = (
            select(trials)
            .where(trials.c.root.in_(self._roots), trials.c.root == root, trials.c.sweep == to_text(sweep))
            .order_by(trials.c.rank.is_(None), trials.c.rank, trials.c.path)
        )
        with self._engine.connect() as connection:
            return tuple(trial_from_row(row) for row in connection.execute(query).mappings())

    def trials_at(self, root: str, paths: Collection[str]) -> dict[str, Trial]:
        """The trials among some folders, by path."""
        found: dict[str, Trial] = {}
        with self._engine.connect() as connection:
            for part in _chunks([to_text(path) for path in paths]):
                query = select(trials).where(trials.c.root == root, trials.c.path.in_(part))
                found |= {(one := trial_from_row(row)).path: one for row in connection.execute(query).mappings()}
        return found


def trial_from_row(row: RowMapping) -> Trial:
    """A trial as it was stored."""
    params, metrics, needed, problem = json.loads(row["detail"])
    return Trial(
        path=from_text(row["path"]),
        kind=SweepKind(row["kind"]),
        name=row["name"],
        status=TrialStatus(row["status"]),
        score=row["score"],
        best_step=row["best_step"],
        params=tuple((name, value) for name, value in params),
        metrics=tuple(TrialMetric(name, value, way and Direction(way)) for name, value, way in metrics),
        rank=row["rank"],
        needed=needed,
        problem=problem,
    )


def _sweep_from_row(row: RowMapping) -> Sweep:
    way = row["direction"]
    return Sweep(
        root=row["root"],
        path=from_text(row["path"]),
        kind=SweepKind(row["kind"]),
        objective=Objective(name=row["objective"], direction=None if way is None else Direction(way)),
        trials=row["trials"],
        ranked=row["ranked"],
        best=None if row["best"] is None else from_text(row["best"]),
        best_score=row["best_score"],
        problem=row["problem"],
    )


def _insert(connection: Connection, root: str, items: Sequence[Trial]) -> None:
    rows = [
        {
            "root": root,
            "path": to_text(item.path),
            "sweep": to_text(parent_of(item.path)),
            "kind": item.kind.value,
            "name": item.name,
            "status": item.status.value,
            "score": item.score,
            "best_step": bounded(item.best_step),
            "rank": item.rank,
            "detail": json.dumps([item.params, item.metrics, item.needed, item.problem]),
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(trials), rows)


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
