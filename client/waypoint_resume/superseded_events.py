"""TensorBoard's folders: an event file that says where training goes on, so that what came later is dropped."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from waypoint_resume.atomic import sync_folder
from waypoint_resume.event_files import MARK, Event, cut_records, raw_record, read_events
from waypoint_resume.ids import uuid7

_MOST_EVENTS = 1_000_000  # of one folder: what has more takes too long to look through before a start
_MOST_COPIED = 64 << 20  # bytes of events that are written again
CUT_END = ".waypoint-cut"


def cutting_file(
    here: Path, names: list[str], epoch: int, step: int | None, problems: list[str]
) -> list[tuple[Path, bytes]]:
    """The event file that cuts a folder, if it goes past the point: its path and content.

    Keras counts epochs in some series (`epoch_loss`, histograms of weights) and steps in others (`batch_loss`), and one
    cut has one number for all of them: what of the others it would drop too much is written again behind it.
    """
    files = [here / name for name in sorted(names) if MARK in name and not (here / name).is_symlink()]
    events: dict[Path, list[Event]] = {}
    left = _MOST_EVENTS
    for path in files:
        events[path] = []
        for event in read_events(path):
            events[path].append(event)
            left -= 1
            if left < 0:
                problems.append(f"{here} has more than {_MOST_EVENTS:,} events: TensorBoard shows both attempts.")
                return []
    events = {path: found for path, found in events.items() if found}
    bounds = _bounds(_steps_by_tag(events), epoch, step)
    past = [bounds[event.tag] for found in events.values() for event in found if event.step >= bounds[event.tag]]
    if not past:
        return []
    first = int(min(past))
    again = b""
    for path, found in events.items():
        with path.open("rb") as file:
            for event in found:
                if first <= event.step < bounds[event.tag]:
                    again += raw_record(file, event)
                if len(again) > _MOST_COPIED:
                    problems.append(f"{here}: too much would be written again: TensorBoard shows both attempts.")
                    return []
    newest = max(events)
    name = f"{newest.name}{'~' if newest.name.endswith(CUT_END) else ''}{CUT_END}"
    return [(newest.with_name(name), cut_records(first, time.time()) + again)]


def _steps_by_tag(events: dict[Path, list[Event]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for event in (event for items in events.values() for event in items):
        found.setdefault(event.tag, set()).add(event.step)
    return found


def _bounds(steps: dict[str, set[int]], epoch: int, step: int | None) -> dict[str, float]:
    """For each tag the first step that is superseded. Where steps count from 1, the one of that number was done."""
    epochs = {number for tag, numbers in steps.items() if tag.startswith("epoch_") for number in numbers}
    bounds: dict[str, float] = {}
    for tag, numbers in steps.items():
        is_by_epoch = tag.startswith("epoch_") or (numbers <= epochs and "iterations" not in tag)
        if is_by_epoch:
            bounds[tag] = epoch
        else:
            bounds[tag] = float("inf") if step is None else step + (0 not in numbers)
    return bounds


def put_event_file(folder: Path, path: Path, content: bytes) -> None:
    """Write an event file that is whole as soon as it has its name; TensorBoard reads whatever has such a name."""
    temp = folder / f".{uuid7().hex}.waypoint-tmp"
    temp.write_bytes(content)
    with temp.open("rb") as file:
        os.fsync(file.fileno())
    with contextlib.suppress(OSError):
        os.rename(temp, path)
        sync_folder(path.parent)
        return
    path.write_bytes(content)  # on another disk than the decisions
    temp.unlink()
