"""The program of the worker process: reads one checkpoint and tells what it found, in lines of JSON.

Started by `core.workers.process` with one request on stdin: {"root", "folder", "name", "path", "format", "files"}. It
answers `{"done", "total"}` in bytes while it reads, then `{"result": …, "peak": …}`, its largest resident memory in
bytes, or `{"error": [kind, sentence]}`. It only reads, so that it may be killed at any time. JSON, not pickle: what a
worker says after a hostile file must not run in the parent.
"""

import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from core.base.errors import FormatError
from core.base.facts import Format, Role
from core.base.files import FileStat
from core.formats.bundle import MAX_INDEX, BundleCache
from core.formats.reading import DAMAGE, NOT_JUDGED, read_unit
from core.formats.registry import spec_of
from core.formats.spec import Reading, Unit
from core.stores.local import LocalStore, told_permission
from core.verify.bundle import BundleScan
from core.verify.tally import Job, NotReadableError, Tally, untrained_weights
from waypoint_resume.names import join, to_text

UNMATCHED = "Not told: whether they fit the model in the file; verify --restore asks Keras."
NO_MEMORY = "reading it takes more memory than a checkpoint may cost"
MEMORY = 130 << 20  # bytes that a checkpoint may cost beyond what the imports took


def main() -> None:
    """Answer one request."""
    serve(answer_to)


def serve(answer: Callable[[dict[str, Any], Callable[[bytes], object]], dict[str, Any]]) -> None:
    """Answer the one request of this process, by `answer`, whose second argument takes its messages on the way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends this process
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    gc.disable()  # one checkpoint, then the process ends
    request = json.loads(sys.stdin.buffer.readline())
    answers.write(b'{"ready": true}\n')
    try:
        answered = answer(request, answers.write)
    except BrokenPipeError:
        return  # nobody waits for it
    answers.write(json.dumps({**answered, "peak": _peak()}).encode() + b"\n")


def answer_to(request: dict[str, Any], send: Callable[[bytes], object]) -> dict[str, Any]:
    """What reading one checkpoint comes to, "result" or "error"; progress goes to `send`."""
    if spec_of(Format(request["format"])).limits_memory:
        limit_memory()
    shown = to_text(request["name"] or request["folder"])
    return answer_with(lambda: _read(request, send), shown)


def answer_with(read: Callable[[], dict[str, Any]], shown: str = "") -> dict[str, Any]:
    """What `read` comes to, an error of any kind as "error": [kind, sentence], which names what was read (`shown`)."""
    try:
        return read()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever a hostile file brings about is this file's answer)
        kind, sentence = _told(error)
        if isinstance(error, FormatError) and shown:
            sentence = f"{shown}: {sentence}"
        return {"error": [kind, f"{sentence.rstrip('.')}."]}


def _told(error: Exception) -> tuple[str, str]:
    """What a verification comes to, by what stopped it, and why."""
    if isinstance(error, MemoryError):
        return "not told", NO_MEMORY
    if isinstance(error, FormatError):
        return _outcome(error.kind), str(error)
    if isinstance(error, OSError):
        place = f"{to_text(os.path.basename(os.fsdecode(error.filename)))}: " if error.filename else ""
        is_denied = isinstance(error, PermissionError)
        why = told_permission(error) if isinstance(error, PermissionError) else error.strerror or str(error)
        return "not told" if is_denied else "failed", f"{place}{why}"
    return "failed", str(error) if isinstance(error, NotReadableError) else f"{type(error).__name__}: {error}"


def _read(request: dict[str, Any], send: Callable[[bytes], object]) -> dict[str, Any]:
    tally = Tally(send)
    form = Format(request["format"])
    spec = spec_of(form)
    files = {row[0]: FileStat(*row) for row in request["files"]}
    store, cache = LocalStore(request["root"]), BundleCache()
    unit = Unit(request["folder"], request["name"], request["path"], form, files)
    job = Job(store.absolute(unit.folder), unit.name, form, frozenset(files), {})
    scan = _bundle_scan(store, unit, cache, tally)
    if scan is not None:
        _look_at_lengths(scan, files, tally)
    if scan is None or spec.unread is not None or not scan.is_clean:
        # The structure, as a scan reads it: it tells the variables' roles, and damage beyond single tensors.
        reading = read_unit(store, unit, cache, is_named=True)
        assert reading is not None  # what is named is never taken for foreign
        problem = reading.facts.problem
        if problem is not None:
            detail = NO_MEMORY if problem.detail.startswith("MemoryError") else problem.detail.rstrip(".")
            return {"error": [_outcome(problem.kind), f"{to_text(problem.file)}: {detail}."]}
        _look_at_shards(reading, tally)
        roles = {variable.name: variable.role for variable in reading.variables}
        if roles and set(roles.values()) == {Role.OTHER}:
            why = reading.facts.contents_reason or "none of them is known as one"
            tally.notes.append(f"No value was checked for NaN: which variables are weights is not known ({why}).")
        trial = spec_of(reading.format).trial
        if reading.facts.has_architecture and trial is not None and trial.loads_model:
            tally.left_to_trial.append(UNMATCHED)
        job = job._replace(format=reading.format, roles=roles, untrained=untrained_weights(reading.variables))
    if scan is not None:
        scan.tell(job, tally)
    elif (name := spec_of(job.format).verifier) is not None:
        verify: Callable[[Job, Tally], None] = named(name)
        verify(job, tally)
    if spec.unread is not None and (note := spec.unread(store, unit.folder, files)) is not None:
        tally.notes.append(note)
    return {"result": tally.result()}


def _outcome(kind: str) -> str:
    """What a verification comes to, by the kind of what stopped it: a limit of ours is neither damage nor a failure."""
    return "damaged" if kind in DAMAGE else "not told" if kind in NOT_JUDGED else "failed"


def _bundle_scan(store: LocalStore, unit: Unit, cache: BundleCache, tally: Tally) -> BundleScan | None:
    """A bundle's tensors, read; None for other formats, and for an index that `read_unit` refuses."""
    bundle = spec_of(unit.format).bundle
    if bundle is None or f"{(prefix := bundle(unit.name))}.index" not in unit.files:
        return None
    data = store.read(join(unit.folder, f"{prefix}.index"), MAX_INDEX + 1)
    if len(data) > MAX_INDEX:
        return None
    try:
        found = cache.indexes.read(data)
    except FormatError:
        return None
    return BundleScan(store.absolute(unit.folder), prefix, found, tally)


def _look_at_lengths(scan: BundleScan, files: Mapping[str, FileStat], tally: Tally) -> None:
    """Shards that are longer than their index says: no restore reads what stands behind the last tensor."""
    for name, expected in scan.lengths:
        if name in files and files[name].size > expected:
            tally.notes.append(
                f"{to_text(name)} has {files[name].size:,} bytes, of which the index describes {expected:,}: "
                "no restore reads the rest."
            )


def _look_at_shards(reading: Reading, tally: Tally) -> None:
    for shard in reading.facts.shards:
        if shard.actual is None:
            tally.damage.append(f"{to_text(shard.name)} is missing.")
        elif shard.expected is not None and shard.actual < shard.expected:
            tally.damage.append(f"{to_text(shard.name)} has {shard.actual:,} of {shard.expected:,} bytes.")


def named(name: str) -> Any:  # noqa: ANN401 - a function of any kind
    """A function by its "module:function", imported now: a worker loads no library that it does not use."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def limit_memory(checkpoints: int = 1) -> None:
    """Let no checkpoint take more than MEMORY beyond what the process has now."""
    with suppress(ImportError, OSError, ValueError):  # else there is no such limit on this system
        import resource

        with open("/proc/self/statm", encoding="ascii") as status:
            now = int(status.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + checkpoints * MEMORY,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> int | None:
    """The largest resident memory so far, bytes; getrusage would count the parent's, from before exec."""
    with suppress(OSError, ValueError), open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return None


if __name__ == "__main__":
    main()
