"""The program of the process that compares two checkpoints. Its request is {"left": …, "right": …}, each as
`core.verify.worker` takes one; it answers as that does.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from core.base.facts import Format
from core.base.files import FileStat
from core.distance.measure import compare
from core.distance.of_bundle import BundleValues
from core.distance.stored import Stored
from core.formats.bundle import BundleCache
from core.formats.reading import read_unit
from core.formats.registry import spec_of
from core.formats.spec import Unit
from core.stores.local import LocalStore
from core.verify.tally import Job, NotReadableError, Tally
from core.verify.worker import answer_with, limit_memory, named, serve
from waypoint_resume.names import to_text


def main() -> None:
    """Answer one request."""
    serve(answer_to)


def answer_to(request: dict[str, Any], send: Callable[[bytes], object]) -> dict[str, Any]:
    """What comparing two checkpoints comes to, "result" or "error"; progress goes to `send`."""
    sides = [request[side] for side in ("left", "right")]
    if all(spec_of(Format(side["format"])).limits_memory for side in sides):
        limit_memory(2)
    return answer_with(lambda: {"result": _compared(sides, Tally(send))})


def _compared(sides: list[dict[str, Any]], tally: Tally) -> dict[str, Any]:
    with ExitStack() as stack:
        (left, job), (right, _) = [_opened(side, stack) for side in sides]
        return compare(left, right, job.roles, tally)


def _opened(request: dict[str, Any], stack: ExitStack) -> tuple[Stored, Job]:
    files = {row[0]: FileStat(*row) for row in request["files"]}
    store = LocalStore(request["root"])
    unit = Unit(request["folder"], request["name"], request["path"], Format(request["format"]), files)
    reading = read_unit(store, unit, BundleCache(), is_named=True)
    assert reading is not None  # what is named is never taken for foreign
    shown = to_text(request["path"].rpartition("/")[2])
    if (problem := reading.facts.problem) is not None and not reading.variables:
        raise NotReadableError(f"{shown}: {to_text(problem.file)}: {problem.detail}")
    roles = {variable.name: variable.role for variable in reading.variables}
    job = Job(store.absolute(unit.folder), unit.name, reading.format, frozenset(files), roles)
    spec = spec_of(reading.format)
    if spec.bundle is not None:
        return BundleValues(store, unit.folder, spec.bundle(unit.name), stack), job
    if spec.values is None:
        raise NotReadableError(f"{shown}: the values of {spec.label} are not read here.")
    opened: Callable[[Job, ExitStack], Stored] = named(spec.values)
    return opened(job, stack), job


if __name__ == "__main__":
    main()
