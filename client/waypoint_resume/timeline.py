"""One timeline in the logs: what a former attempt wrote past the point where training goes on is superseded.

CSVLogger's rows of those epochs are set aside, and TensorBoard is told where it was cut. Each time leaves a record
`.waypoint/superseded/<id>.json`, by which it is taken back. Only files in the run itself, never those behind links.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waypoint_resume.checkpoints import walk_run
from waypoint_resume.clock import moment_text
from waypoint_resume.files import LONG, read_record, write_record
from waypoint_resume.ids import uuid7
from waypoint_resume.names import from_text, to_text
from waypoint_resume.places import HIDDEN, hidden_folder
from waypoint_resume.superseded_events import CUT_END, cutting_file, put_event_file
from waypoint_resume.superseded_rows import cut_rows, restore_rows, superseded_rows

SUPERSEDED = "superseded"


@dataclass
class Cut:
    """What was superseded: rows of CSV files and TensorBoard's folders, by their paths in the run; what was left."""

    rows: dict[str, int] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What is to be said of it."""
        told = []
        for path, count in self.rows.items():
            rows = f"{count:,} row{'s' * (count != 1)}"
            verb = "was" if count == 1 else "were"
            told.append(f"{path}: {rows} of epochs that are trained again {verb} set aside in {HIDDEN}/{SUPERSEDED}.")
        if self.folders:
            told.append(f"TensorBoard is told that training goes on from an earlier point: {', '.join(self.folders)}.")
        return told + self.problems


def cut_timeline(
    run: Path,
    home: Path,
    *,
    epoch: int,
    step: int | None,
    batch: str | None,
    job: str,
    own: frozenset[Path] | None = None,
) -> Cut:
    """Cut the logs of a run where `epoch` epochs and `step` steps are done (None where steps are not known).

    Call it before anything of the new attempt is logged. `batch` is the id of the rewind that it belongs to, whose undo
    takes it back. `own`: in a later fit() of a script, the files of its CSVLoggers: nothing else is cut then, for that
    is of one that was done. Nothing is raised: what cannot be cut is told.
    """
    made = Cut()
    record: dict[str, Any] = {"version": 1, "id": str(uuid7()), "batch": batch, "job": job, "epoch": epoch}
    record |= {"step": step, "at": moment_text(time.time()), "tables": [], "events": []}
    try:
        place = hidden_folder(home, SUPERSEDED) / f"{record['id']}.json"
        tables: list[dict[str, Any]] = []
        new_files: list[tuple[Path, bytes]] = []
        for here, _, names in walk_run(run):
            if own is None:
                tables += superseded_rows(run, here, names, epoch)
                new_files += cutting_file(here, names, epoch, step, made.problems)
            else:
                names = [name for name in names if here / name in own]
                tables += superseded_rows(run, here, names, epoch, is_last_alone=True)
        if not tables and not new_files:
            return made
        record["tables"] = tables
        record["events"] = [to_text(path.relative_to(run).as_posix()) for path, _ in new_files]
        write_record(place, record)  # before anything is changed
        for table in tables:
            cut_rows(run, table)
            made.rows[table["path"]] = table["rows"]
        for path, content in new_files:
            put_event_file(place.parent, path, content)
            made.folders.append(to_text(path.parent.relative_to(run).as_posix()))
    except OSError as error:
        made.problems.append(f"The logs of {run} were not cut where training goes on: {error}.")
    return made


def records_of(home: Path, batch: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What was cut for a rewind, the last cut first."""
    for path in sorted((home / HIDDEN / SUPERSEDED).glob("*.json"), reverse=True):
        record = read_record(path, LONG) or {}
        if record.get("batch") == batch and isinstance(record.get("tables"), list):
            yield path, record


def take_back_cut(run: Path, home: Path, batch: str) -> list[str]:
    """Undo the cuts of a rewind. Rows come back into their file where nothing was logged since, else into a file beside
    it, which is said. OSError where something cannot be written; then the records stay.
    """
    told = []
    for path, record in records_of(home, batch):
        for table in record["tables"]:
            told += restore_rows(run, table, record["id"])
        for name in record["events"]:
            mark = run / from_text(name)
            if mark.name.endswith(CUT_END) and not mark.is_symlink():
                mark.unlink(missing_ok=True)
        path.rename(path.with_suffix(".undone"))
    return told
