"""What files of runs tell of their tags, kept in short."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, insert, select, update

from core.catalog.chunks import chunks
from core.catalog.metric_files import DueFile, problems_from, problems_text
from core.catalog.rows import bounded, run_id
from core.catalog.run_tables import metric_files, metric_series
from core.metrics.curves import Track
from core.metrics.kept_bytes import from_bytes, to_bytes
from core.metrics.limits import MOST_PROBLEMS
from core.metrics.metric_names import metric_name
from core.metrics.records import MetricProblem, ParamValue, Point, Position, ProblemKind, XKind
from core.metrics.summary import Summary
from waypoint_resume.names import from_text, to_text

TagKey = tuple[str, XKind]


class FileReading(NamedTuple):
    """What reading a file gave: the summaries of tags of which points came, whether all that was known before is void,
    parameters and problems, where it goes on, its identity, which reader it was, and whether there is more to be read.
    """

    summaries: Mapping[TagKey, Summary]
    is_anew: bool
    parameters: Mapping[str, ParamValue]
    problems: Sequence[MetricProblem]
    position: Position | None
    identity: str
    read_by: str
    has_more: bool = False


def known_summaries(engine: Engine, root: str, run: str, path: str) -> dict[TagKey, Summary]:
    """What is known of a file's tags."""
    query = select(metric_series).where(
        metric_series.c.run_id == run_id(root, run), metric_series.c.path == to_text(path)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    return {(row["tag"], XKind(row["x_kind"])): _summary(row) for row in rows}


def store_readings(connection: Connection, root: str, readings: Sequence[tuple[DueFile, FileReading]]) -> None:
    """Keep what reading some files gave, where their runs still have them."""
    ids = {file.run: run_id(root, file.run) for file, _ in readings}
    known = _known_files(connection, list(ids.values()))
    void, renewed, rows, changed = [], [], [], []
    for file, reading in readings:
        number, path = ids[file.run], to_text(file.path)
        before = known.get((number, path))
        if before is None:
            continue
        place = {"of": number, "at": path}
        if reading.is_anew:
            void.append(place)
        else:
            renewed += [{**place, "of_tag": tag, "of_kind": kind.value} for tag, kind in reading.summaries]
        rows += [
            _row(number, path, tag, metric_name(file.run, file.path, tag), summary)
            for (tag, _), summary in reading.summaries.items()
        ]
        changed.append({**place, **_changed(before, path, reading)})
    here = (metric_series.c.run_id == bindparam("of")) & (metric_series.c.path == bindparam("at"))
    of_tag = (metric_series.c.tag == bindparam("of_tag")) & (metric_series.c.x_kind == bindparam("of_kind"))
    if void:
        connection.execute(delete(metric_series).where(here), void)
    if renewed:
        connection.execute(delete(metric_series).where(here, of_tag), renewed)
    if rows:
        connection.execute(insert(metric_series), rows)
    if changed:
        place_of = (metric_files.c.run_id == bindparam("of")) & (metric_files.c.path == bindparam("at"))
        values: dict[str, Any] = {
            name.removeprefix("new_"): bindparam(name) for name in changed[0] if name.startswith("new_")
        }
        connection.execute(update(metric_files).where(place_of).values(values), changed)


def _known_files(connection: Connection, ids: Sequence[int]) -> dict[tuple[int, str], tuple[str, str]]:
    """Problems and parameters of the files of some runs, by run and path."""
    columns = (metric_files.c.run_id, metric_files.c.path, metric_files.c.problems, metric_files.c.params)
    return {
        (number, path): (problems, params)
        for part in chunks(ids)
        for number, path, problems, params in connection.execute(
            select(*columns).where(metric_files.c.run_id.in_(part))
        )
    }


def _changed(before: tuple[str, str], path: str, reading: FileReading) -> dict[str, object]:
    """The columns of a file after it was read."""
    return {
        "new_was_read": "" if reading.has_more else reading.identity,
        "new_seen": reading.identity,
        "new_read_by": reading.read_by,
        "new_is_due": reading.has_more,
        "new_position": None if reading.position is None else json.dumps(reading.position),
        **_told(before, path, reading),
    }


def _told(known: tuple[str, str], path: str, reading: FileReading) -> dict[str, str]:
    """Problems and parameters, with those of earlier readings that still hold: the end of a file that was cut has
    grown.
    """
    problems, params = list(reading.problems), dict(reading.parameters)
    if not reading.is_anew:
        before = problems_from(known[0], path)
        problems = [one for one in before if one.kind is not ProblemKind.TRUNCATED] + problems
        params = {**(json.loads(known[1]) if known[1] else {}), **params}
    return {
        "new_problems": problems_text(problems[:MOST_PROBLEMS]),
        "new_params": json.dumps(params) if params else "",
    }


def _row(number: int, path: str, tag: str, name: str, summary: Summary) -> dict[str, object]:
    told = [summary.first, summary.last, summary.lowest, summary.highest, summary.first_not_finite]
    return {
        "run_id": number,
        "path": path,
        "tag": tag,
        "x_kind": summary.x_kind.value,
        "name": name,
        "count": bounded(summary.count),
        "summary": json.dumps([*told, summary.not_finite]),
        "kept_count": len(summary.kept),
        "kept": to_bytes(summary.kept),
    }


def told_points(text: str) -> tuple[list[Point | None], int]:
    """The first, last, lowest, highest and first odd point of a summary, and how many odd ones there are."""
    *points, not_finite = json.loads(text)
    return [None if one is None else Point(*one) for one in points], not_finite


def _summary(row: RowMapping) -> Summary:
    (first, last, lowest, highest, odd), not_finite = told_points(row["summary"])
    assert first is not None
    assert last is not None
    return Summary(
        x_kind=XKind(row["x_kind"]),
        count=row["count"],
        first=first,
        last=last,
        lowest=lowest,
        highest=highest,
        not_finite=not_finite,
        first_not_finite=odd,
        kept=from_bytes(row["kept"]),
    )


def load_tracks(
    engine: Engine, root: str, runs: Iterable[str], names: Sequence[str] | None = None
) -> dict[str, dict[str, list[Track]]]:
    """The kept points of some runs' metrics, of all without `names`: by run and name."""
    ids = {run_id(root, run): run for run in runs}
    found: dict[str, dict[str, list[Track]]] = {run: {} for run in ids.values()}
    is_of = (metric_files.c.run_id == metric_series.c.run_id) & (metric_files.c.path == metric_series.c.path)
    query = select(metric_series, metric_files.c.source).join(metric_files, is_of)
    with engine.connect() as connection:
        for part in chunks(list(ids)):
            here = query.where(metric_series.c.run_id.in_(part))
            if names is not None:
                here = here.where(metric_series.c.name.in_(list(names)))
            for row in connection.execute(here).mappings():
                kept, kind = from_bytes(row["kept"]), XKind(row["x_kind"])
                track = Track.of_kept(from_text(row["path"]), row["source"], row["tag"], kind, kept, row["count"])
                found[ids[row["run_id"]]].setdefault(row["name"], []).append(track)
    return found
