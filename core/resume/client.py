"""The job's side of a resume manifest: `resume()` picks a checkpoint, checks it, loads it and says where to go on.

This one file can be copied beside a train.py: it needs Python 3.11 and TensorFlow, which is imported when there is
something to load; h5py, keras and orbax only when a format needs them. docs/resume.md says what is restored how.

    start = resume(run_dir, model=model, steps_per_epoch=n)     # or checkpoint=tf.train.Checkpoint(...), manager=...
    model.fit(..., initial_epoch=start.epoch, callbacks=[*mine, start.guard])

Nothing is loaded unless everything fits. Errors: ResumeError, and of its kind RunIsBusy and MismatchError.
"""

import atexit
import contextlib
import errno
import hashlib
import importlib
import io
import json
import logging
import math
import os
import re
import socket
import tempfile
import threading
import time
import unicodedata
import uuid
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HIDDEN, MANIFEST = ".waypoint", "resume_manifest.json"
HEARTBEAT = 30.0  # seconds between two touches of the lease
LEASE = 120.0  # seconds after which a lease that nobody touched is void
LOCK_WAIT = 60.0  # seconds that a start waits for somebody else's decision about the run
_AHEAD = 86_400.0  # seconds: a lease from further ahead tells nothing
WORKERS_WAIT = 600.0  # seconds that a worker waits for the chief's decision
_POLL = 0.1  # seconds between two looks at what workers ask and the chief answers
_SMALL = 16 * 1024 * 1024  # bytes of a manifest or record
_LONG = 1 << 30  # bytes of a plan or a journal, which lists every file
_TEMP_END = ".waypoint-tmp"
_SELF = uuid.uuid4().hex[:8]  # tells this process from an earlier one of the same number
_LOG = logging.getLogger("waypoint.resume")


class ResumeError(RuntimeError):
    """The job cannot go on as it was told to; the text says why and what to do. Nothing was loaded."""


class RunIsBusy(ResumeError):  # noqa: N818 - the name that the contract gives it
    """Another job works in this run: its lease is younger than two minutes."""


class MismatchError(ResumeError):
    """Checkpoint and model differ; `differences` holds each one: missing, unexpected, shape, dtype, slot."""

    def __init__(self, name: str, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        lines = [f"{name} does not fit the model; nothing was loaded:", *differences]
        super().__init__("\n  ".join(lines))


# --- the manifest -------------------------------------------------------------------------------------------------

_FORMATS = ("tf-bundle", "tf-v1", "saved-model", "keras", "hdf5", "weights-h5", "weights-h5-sharded", "orbax")
_CONTENTS = ("weights_only", "weights_and_optimizer", "full_model", "export", "unknown")
_APIS = (
    "tf.train.Checkpoint.restore",
    "tf.train.Checkpoint.read",
    "tf.compat.v1.train.Saver.restore",
    "keras.saving.load_model",
    "keras.Model.load_weights",
    "tf_keras.models.load_model",
    "tf_keras.Model.load_weights",
    "orbax.checkpoint.PyTreeCheckpointer.restore",
)
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")

Check = Callable[[Any], str | None]


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "no text"


def _int(value: object) -> str | None:
    return None if type(value) is int and -(2**63) <= value < 2**63 else "no whole number"


def _count(value: object) -> str | None:
    return None if type(value) is int and 0 <= value < 2**63 else "no whole number from 0 on"


def _number(value: object) -> str | None:
    with contextlib.suppress(OverflowError):  # a whole number too long for a float
        if type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
            return None
    return "no finite number"


def _scalar(value: object) -> str | None:
    return None if value is None or isinstance(value, (str, bool)) else _number(value) and "no scalar"


def _version(value: object) -> str | None:
    return None if type(value) is int and value == 1 else f"{value!r} is unknown here; allowed: 1"


def _bool(value: object) -> str | None:
    return None if isinstance(value, bool) else "neither true nor false"


def _like(pattern: re.Pattern[str], what: str) -> Check:
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else f"no {what}"


def _one_of(*allowed: str) -> Check:
    return lambda value: None if value in allowed else f"{value!r}; allowed: {', '.join(allowed)}"


def _or_null(check: Check | dict[str, Any]) -> Any:  # noqa: ANN401 - a spec, see _problems
    return (check,)


def _path(value: object) -> str | None:
    if not isinstance(value, str) or not value or "\0" in value:
        return "no path"
    name = _from_text(value)
    if name.startswith("/"):
        return "an absolute path; allowed: relative to the run"
    bad = [part for part in name.split("/") if part in ("", ".", "..")]
    return f"{bad[0]!r} in a path; allowed: normalised, below the run" if bad else None


def _place(value: object) -> str | None:
    return None if value == "." else _path(value)


# A spec is a check, a one-element tuple (spec or null), a list (array of), or a dict (exactly these keys).
_SPEC: dict[str, Any] = {
    "version": _version,
    "id": _like(_ID, "UUID of version 7"),
    "created_at": _like(_UTC, "time in UTC"),
    "created_by": _text,
    "note": _text,
    "run": _place,
    "checkpoint": {
        "path": _place,
        "format": _one_of(*_FORMATS),
        "contents": _one_of(*_CONTENTS),
        "step": _or_null(_int),
        "epoch": _or_null(_int),
        "saved_at": _like(_UTC, "time in UTC"),
        "files": [{"path": _path, "bytes": _count, "sha256": _or_null(_like(re.compile(r"[0-9a-f]{64}"), "SHA-256"))}],
        "variables_fingerprint": _or_null(_text),
    },
    "restore": {
        "api": _one_of(*_APIS),
        "initial_step": _or_null(_int),
        "initial_epoch": _or_null(_count),
        "optimizer": _or_null(_one_of("restored", "not in the file", "refused")),
        "best_metric": _or_null({"name": _text, "value": _number, "mode": _one_of("min", "max")}),
    },
    "mode": _one_of("continue", "rewind", "fork"),
    "overrides": {...: _scalar},
    "checks": [{"name": _text, "ok": _bool, "detail": _text}],
    "warnings_accepted": [_text],
}


def _problems(value: Any, spec: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401 - any JSON, any spec
    """Every way in which a JSON value breaks a spec, each with its JSON path."""
    if isinstance(spec, tuple):
        if value is not None:
            yield from _problems(value, spec[0], where)
    elif isinstance(spec, list):
        if not isinstance(value, list):
            yield f"in {where!r}: no array"
            return
        for number, item in enumerate(value):
            yield from _problems(item, spec[0], f"{where}[{number}]")
    elif isinstance(spec, dict):
        if not isinstance(value, dict):
            yield f"in {where!r}: no object"
            return
        any_name = spec.get(...)
        for name in value.keys() | spec.keys() - {...}:
            inner = f"{where}.{name}" if where else name
            if name not in value:
                yield f"in {inner!r}: missing"
            elif name in spec or any_name:
                yield from _problems(value[name], spec.get(name, any_name), inner)
            else:
                yield f"in {inner!r}: an unknown field"
    elif problem := spec(value):
        yield f"in {where!r}: {problem}"


def parse_manifest(data: bytes, name: str) -> dict[str, Any]:
    """A manifest of version 1. ResumeError with every problem at once; of another version only that is said."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice.extend(sorted({key for key in keys if keys.count(key) > 1}))
        return dict(pairs)

    twice: list[str] = []
    try:
        manifest = json.loads(data.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ResumeError(f"{name} is no JSON: {error}. Hand the checkpoint over again.") from None
    found = [f"in {key!r}: the key stands there twice" for key in twice]
    if isinstance(manifest, dict) and type(manifest.get("version")) is int and manifest["version"] != 1:
        found = [f"in 'version': {manifest['version']} is unknown here; allowed: 1"]
    else:
        found += sorted(_problems(manifest, _SPEC))
    if not found and not manifest["checkpoint"]["files"]:
        found = ["in 'checkpoint.files': no file"]
    if found:
        raise ResumeError("\n  ".join([f"{name} is no manifest that this client reads; nothing was loaded:", *found]))
    return dict(manifest)


def _from_text(text: str) -> str:
    r"""The name on disk that stands in a manifest with `\xNN` for bytes that are not UTF-8."""
    if "\\" not in text:
        return text
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), text.encode("utf-8", "surrogateescape")))


# --- files, the job's name, the lock ------------------------------------------------------------------------------


def _read(path: Path, limit: int = _SMALL) -> bytes | None:
    """A small regular file's bytes; None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ResumeError(f"{path} is longer than {limit:,} bytes.")
    return data


def _record(path: Path, limit: int = _SMALL) -> dict[str, Any] | None:
    """A claim, a withdrawal or a lease; {} for one that cannot be read, None for none."""
    try:
        data = _read(path, limit)
        value = None if data is None else json.loads(data)
    except (OSError, ValueError, ResumeError, RecursionError):
        return {}
    return value if value is None or isinstance(value, dict) else {}


def _fresh_file(folder: Path, content: bytes) -> Path:
    """A whole, durable temp file in a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{uuid.uuid4().hex}{_TEMP_END}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _unlink(path)
        raise
    return path


def _write(path: Path, value: Mapping[str, object]) -> None:
    """Write a record so that a reader finds the old one or the new one, never a part."""
    temp = _fresh_file(path.parent, json.dumps(value, indent=2).encode() + b"\n")
    os.replace(temp, path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # a file system that knows no fsync of folders
            os.fsync(handle)
    finally:
        os.close(handle)


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _disk_now(hidden: Path) -> float:
    """The time by the clock of the disk, in seconds since 1970."""
    probe = _fresh_file(hidden, b"")
    try:
        return probe.stat().st_mtime_ns / 1e9
    finally:
        _unlink(probe)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00") + "Z"


def _seconds(moment: object) -> float | None:
    """The time that a record holds; None for one that is missing or broken."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None


def _process() -> str | None:
    """What names this process among all of this boot and process namespace; None where /proc does not tell."""
    return _process_named(os.getpid())


def _process_named(pid: int) -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, started = start[0], start[19]
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}/{pid}/{started if state not in 'ZX' else 'ended'}"
    except (OSError, IndexError):
        return None


def _lives(lease: Mapping[str, Any]) -> bool | None:
    """Whether the process of a lease lives; None where that cannot be known from here."""
    theirs, own = str(lease.get("process") or "").split("/"), (_process() or "").split("/")
    if len(theirs) != 4 or theirs[:2] != own[:2] or not re.fullmatch(r"[0-9]{1,9}", theirs[2]):
        return None
    found = _process_named(int(theirs[2]))
    if found is None:
        with contextlib.suppress(ProcessLookupError):
            with contextlib.suppress(PermissionError):  # somebody else's
                os.kill(int(theirs[2]), 0)
            return None  # it lives, and /proc does not show it
    return bool(found == lease["process"])


def _cluster() -> tuple[str | None, str, int, int]:
    """From TF_CONFIG: a name for the cluster (None without one), this task's type and index, the number of workers."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster, task = config.get("cluster") or {}, config.get("task") or {}
        kind, index = str(task.get("type", "worker")), int(task.get("index", 0))
        workers = sum(len(cluster.get(name, ())) for name in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError, OverflowError, RecursionError) as error:
        raise ResumeError(f"TF_CONFIG cannot be read: {error}") from None
    if not cluster:
        return None, "worker", 0, 1
    name = hashlib.blake2b(json.dumps(cluster, sort_keys=True).encode(), digest_size=6).hexdigest()
    return f"cluster-{name}", kind, index, workers


def _is_chief() -> bool:
    """Whether this task decides: the chief, or worker 0 of a cluster without one."""
    name, kind, index, _ = _cluster()
    if name is None:
        return True
    has_chief = "chief" in (json.loads(os.environ["TF_CONFIG"]).get("cluster") or {})
    return kind == "chief" or (kind == "worker" and index == 0 and not has_chief)


def _job() -> str:
    """What stays the same when the scheduler starts this job again; else a name for this process alone."""
    for name in ("WAYPOINT_JOB", "SLURM_JOB_ID"):
        if os.environ.get(name):
            return f"{name.partition('_')[0].lower()}-{os.environ[name]}"
    return _cluster()[0] or f"process-{socket.gethostname()}-{os.getpid()}-{_SELF}"


def _homes(run: Path) -> list[Path]:
    """Where decisions about a run may lie: in the run, and below WAYPOINT_DECISIONS_DIR under the id of its root.

    The job does not know which folder is the root, so every folder above the run is tried for one that exists.
    """
    base = os.environ.get("WAYPOINT_DECISIONS_DIR")
    homes = [run]
    for root in (run, *run.parents) if base else ():
        name = hashlib.blake2b(os.fsencode(root), digest_size=6).hexdigest()
        home = Path(str(base)) / name / run.relative_to(root)
        if home.is_dir():
            homes.append(home)
    return homes


def _home(run: Path, homes: Sequence[Path]) -> Path:
    """The home that takes claims and leases: the run's folder if it can be written."""
    writable = [home for home in homes if os.access(home, os.W_OK | os.X_OK)]
    if not writable:
        raise ResumeError(
            f"{run} cannot be written. Set WAYPOINT_DECISIONS_DIR to the folder that the dashboard uses for read-only "
            "runs, or make the run writable."
        )
    return writable[0]


def _flock(handle: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _clearly(run: Path) -> Iterator[None]:
    """The disk's errors (full, read-only, a folder in a file's place) as ResumeError."""
    try:
        yield
    except OSError as error:
        raise ResumeError(f"{error.filename or run}: {error.strerror or error}. Nothing was loaded.") from error


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the decisions of the run, as the dashboard does; where the disk knows no locks, the claim's link decides."""
    (home / HIDDEN).mkdir(parents=True, exist_ok=True)
    handle = os.open(home / HIDDEN / "decisions.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        try:
            until = time.monotonic() + LOCK_WAIT
            while not _flock(handle):
                if time.monotonic() >= until:
                    who = os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "another process"
                    raise ResumeError(f"{who} has been deciding about {home} for {LOCK_WAIT:.0f} s: try again later.")
                time.sleep(_POLL)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
        yield
    finally:
        os.close(handle)


# --- the lease ----------------------------------------------------------------------------------------------------


class _Lease:
    """The sign that a job lives: `.waypoint/lease.json`, touched every 30 s by a daemon thread until the job ends."""

    def __init__(self, home: Path, job: str) -> None:
        self.path, self.job, self.token = home / HIDDEN / "lease.json", job, uuid.uuid4().hex
        self._owner = os.getpid()
        self._stop = threading.Event()

    def take(self, *, take_over: bool) -> None:
        """Take it, held under the lock. RunIsBusy while another job's is young, unless that process is surely gone."""
        holder = _record(self.path)
        if holder is not None and not take_over and not self._may_follow(holder):
            with contextlib.suppress(FileNotFoundError):
                age = _disk_now(self.path.parent) - self.path.stat().st_mtime
                if -_AHEAD < age < LEASE:
                    raise RunIsBusy(
                        f"{self.path.parent.parent} is in use by job {holder.get('job')} on {holder.get('host')} "
                        f"(process {holder.get('pid')}), seen {max(age, 0):.0f} s ago. End it, wait until its lease is "
                        f"{LEASE:.0f} s old, or pass take_over=True if it is surely dead. Of several tasks of one job "
                        "all but one are to pass chief=False."
                    )
        value = {"job": self.job, "host": socket.gethostname(), "pid": os.getpid()}
        _write(self.path, {**value, "process": _process(), "token": self.token})
        threading.Thread(target=self._beat, name="waypoint-lease", daemon=True).start()
        atexit.register(self.release)

    def _may_follow(self, holder: Mapping[str, Any]) -> bool:
        """Whether this start may take a young lease: its process has ended, is this one, or was the job's of before."""
        lives = _lives(holder)
        if lives is None:
            return bool(holder.get("job") == self.job)
        return not lives or holder["process"] == _process()

    def release(self) -> None:
        """Give it back, if it is still this process' own."""
        if os.getpid() != self._owner:
            return  # a forked child, which ends before its job
        self._stop.set()
        if (_record(self.path) or {}).get("token") == self.token:
            _unlink(self.path)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            holder = _record(self.path) or {}
            if holder.get("token") != self.token:
                if holder.get("job") != self.job:
                    _LOG.warning("%s was taken over by another job: two jobs may write into this run.", self.path)
                return
            with contextlib.suppress(OSError):  # a disk that is away for a moment
                os.utime(self.path)


# --- the claim ----------------------------------------------------------------------------------------------------


def claim(home: Path, manifest_id: str, job: str, checkpoint: str) -> dict[str, Any] | None:
    """Claim a manifest for a job; None if another was faster. The link decides, and who reads back its own uuid."""
    hidden, own = home / HIDDEN, uuid.uuid4().hex
    folder = hidden / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    value = {
        "manifest": manifest_id,
        "uuid": own,
        "job": job,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "claimed_at": _moment(_disk_now(hidden)),
        "checkpoint": checkpoint,
    }
    target, mine = folder / f"{manifest_id}.claim", folder / f"{own}.json"
    os.replace(_fresh_file(folder, json.dumps(value, indent=2).encode() + b"\n"), mine)
    try:
        try:
            os.link(mine, target)
        except OSError as error:
            # On network disks the answer to link proves nothing; what stands there does.
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise ResumeError(f"The disk of {folder} knows no hard links: nothing can be claimed there.") from None
        _sync(folder)
        return value if (_record(target) or {}).get("uuid") == own else None
    finally:
        _unlink(mine)


@dataclass
class Decision:
    """What a job was told: the manifest that governs it and its claim, both None where there is none to follow."""

    run: Path
    home: Path
    job: str
    manifest: dict[str, Any] | None = None
    claim: dict[str, Any] | None = None
    is_restart: bool = False
    lease: _Lease | None = None  # of the chief
    was_told: bool = False  # whether the other workers know what was chosen

    def note(self, **values: object) -> None:
        """Write values into the claim (None removes one), unless another job took it over meanwhile."""
        if self.claim is None:
            return
        with _locked(self.home):
            path = self._claim_path()
            if (_record(path) or {}).get("uuid") == self.claim["uuid"]:
                self.claim = {name: value for name, value in {**self.claim, **values}.items() if value is not None}
                _write(path, self.claim)

    def set_aside(self) -> tuple[str, ...]:
        """Carry out a rewind, once for each manifest: what is newer than the pick moves out of the way, undoable.

        Returns the paths that moved, relative to the run. Imports no TensorFlow. ResumeError: nothing was moved.
        """
        if self.claim is None or self.manifest is None or self.manifest["mode"] != "rewind":
            return ()
        if self.claim.get("rewound_at"):
            return ()
        with _clearly(self.run), _locked(self.home):
            if (_record(self._claim_path()) or {}).get("uuid") != self.claim["uuid"]:
                raise RunIsBusy(f"Another job took the manifest {self.manifest['id']} over: nothing was moved.")
            standing, _ = governing(_homes(self.run))
            if standing is None or standing["id"] != self.manifest["id"]:
                raise ResumeError(f"The manifest {self.manifest['id']} was replaced meanwhile: start the job again.")
            journal = _Rewind(self).carry_out()
        self.note(rewound_at=_moment(_disk_now(self.home / HIDDEN)))
        return tuple(item["path"] for item in journal["items"])

    def _claim_path(self) -> Path:
        assert self.claim is not None
        return self.home / HIDDEN / "claims" / f"{self.claim['manifest']}.claim"


def governing(homes: Sequence[Path]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The manifest that a job of this run follows and its claim, if it has one; (None, None) where there is none.

    That is the newest that stands in place, unless it was withdrawn unclaimed, or its job has finished.
    """
    places = [home / MANIFEST for home in homes]
    found = [parse_manifest(data, str(path)) for path in places if (data := _manifest_data(path)) is not None]
    if not found:
        return None, None
    manifest = max(found, key=lambda item: str(item["id"]))

    def record(name: str) -> dict[str, Any] | None:
        records = (_record(home / HIDDEN / name) for home in homes)
        return next((item for item in records if item is not None), None)

    held, withdrawal = record(f"claims/{manifest['id']}.claim"), record(f"withdrawn/{manifest['id']}.json")
    if held is None:
        return (None, None) if withdrawal is not None else (manifest, None)
    # One that was withdrawn a moment before the claim is claimed; one whose claim was withdrawn is not any more.
    is_over = withdrawal is not None and held.get("uuid") and withdrawal.get("claim") == held["uuid"]
    return (None, None) if held.get("finished_at") or is_over else (manifest, held)


def _manifest_data(path: Path) -> bytes | None:
    try:
        return _read(path)
    except OSError as error:
        raise ResumeError(f"{path} cannot be read: {error.strerror}. Nothing was loaded.") from error


def decide(run_dir: str | os.PathLike[str], *, take_over: bool = False) -> Decision:
    """Take the run's lease and claim its manifest. Imports no TensorFlow, loads nothing.

    RunIsBusy; ResumeError for a manifest that cannot be followed, which is then not claimed.
    """
    decision = _undecided(run_dir)
    with _clearly(decision.run), _locked(decision.home):
        lease = _Lease(decision.home, decision.job)
        lease.take(take_over=take_over)
        decision.lease = lease
        try:
            _follow(decision)
        except BaseException:
            lease.release()
            raise
    return decision


def _undecided(run_dir: str | os.PathLike[str]) -> Decision:
    run = Path(os.path.realpath(run_dir))
    with _clearly(run):
        run.mkdir(parents=True, exist_ok=True)
    decision = Decision(run=run, home=_home(run, _homes(run)), job=_job())
    if (decision.home / HIDDEN).is_symlink():
        raise ResumeError(f"{decision.home / HIDDEN} is a link: no decisions are kept behind it. Nothing was loaded.")
    return decision


def _follow(decision: Decision) -> None:
    manifest, held = governing(_homes(decision.run))
    _require_whole(decision.run, manifest)
    if manifest is None:
        return
    if held is None:
        check_files(decision.run, manifest)
        _require_latest(decision.run, manifest)
        path = manifest["checkpoint"]["path"]
        decision.claim = claim(decision.home, manifest["id"], decision.job, path)
        if decision.claim is None:
            raise RunIsBusy(f"Another job claimed the manifest {manifest['id']} a moment ago.")
    else:
        _require_not_undone(decision.run, manifest, held)
        # The lease is ours, so the job that claimed it is dead or was taken over: its claim is ours as well.
        own = {"uuid": uuid.uuid4().hex, "job": decision.job, "host": socket.gethostname(), "pid": os.getpid()}
        first = held.get("claimed_at") if _seconds(held.get("claimed_at")) is not None else manifest["created_at"]
        decision.claim = {**held, "manifest": manifest["id"], **own, "claimed_at": first}
        decision.is_restart = True
        _write(decision.home / HIDDEN / "claims" / f"{manifest['id']}.claim", decision.claim)
    decision.manifest = manifest


def _require_latest(run: Path, manifest: Mapping[str, Any]) -> None:
    """ResumeError if something was saved beside the pick after it was handed over, which this job would save over."""
    if manifest["mode"] == "rewind":
        return  # sets it aside
    picked = manifest["checkpoint"]
    name = _from_text(picked["path"])
    places = [home / MANIFEST for home in _homes(run)]
    handed = max(path.stat().st_mtime for path in places if path.exists())
    beside = [
        item.path
        for item in _checkpoints(run)
        if item.saved > handed - _USELESS  # some disks tell times in seconds
        and (item.format, os.path.dirname(item.path)) == (picked["format"], os.path.dirname(name))
        and _numbers(item.path) > _numbers(name)
    ]
    if beside:
        raise ResumeError(
            f"{', '.join(sorted(beside))}: saved after {picked['path']} was handed over, and this job would save over "
            "it. Hand over again: continue from the newest, or go back by a rewind or a fork. Nothing was claimed."
        )


def _numbers(path: str) -> list[int]:
    """The numbers in a name, by which checkpoints of one series follow each other."""
    return [int(number) for number in re.findall(r"\d+", path)]


def _require_whole(run: Path, manifest: Mapping[str, Any] | None) -> None:
    """ResumeError while a rewind is half-done that this start does not complete: it would save over a half of it."""
    for path in sorted((run / HIDDEN / _REWOUND).glob(f"*/{_JOURNAL}")):
        is_own = manifest is not None and manifest["id"] == path.parent.name and manifest["mode"] == "rewind"
        stage = (_record(path, _LONG) or {}).get("stage")
        if stage == "undoing" or (stage == "moving" and not is_own):
            raise ResumeError(
                f"A rewind of {run} was left half-done ({stage}), and this job would save over a half of it. End that "
                f"first: python -m core undo {run.name} {path.parent.name[-8:]}. Nothing was loaded."
            )


def _require_not_undone(run: Path, manifest: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """ResumeError if what a rewind set aside was brought back: this job would save over it."""
    journal = _record(run / HIDDEN / _REWOUND / str(manifest["id"]) / _JOURNAL, _LONG)
    if held.get("rewound_at") and journal is not None and journal.get("stage") in (None, "undone"):
        raise ResumeError(
            f"What the manifest {manifest['id']} set aside was brought back since, and this job would save over it. "
            "Withdraw the manifest, or hand a checkpoint over again. Nothing was loaded."
        )


def check_files(run: Path, manifest: Mapping[str, Any]) -> None:
    """ResumeError naming every file of the manifest's checkpoint that is gone, changed, or a link out of the run."""
    wrong = []
    name, names = manifest["checkpoint"]["path"], [file["path"] for file in manifest["checkpoint"]["files"]]
    if name != "." and not any(one in (name, f"{name}.index") or one.startswith(f"{name}/") for one in names):
        wrong.append(f"none of the files listed is {name}'s")
    for file in manifest["checkpoint"]["files"]:
        path = run / _from_text(file["path"])
        try:
            size = path.stat().st_size
            if not path.is_file() or not Path(os.path.realpath(path)).is_relative_to(run):
                wrong.append(f"{file['path']} is no plain file of this run")
            elif size != file["bytes"]:
                wrong.append(f"{file['path']} has {size:,} bytes instead of {file['bytes']:,}")
            elif file["sha256"] is not None and _sha256(path) != file["sha256"]:
                wrong.append(f"{file['path']} has other content than when it was picked (SHA-256)")
        except (FileNotFoundError, NotADirectoryError):
            wrong.append(f"{file['path']} is gone")
    if wrong:
        head = f"{manifest['checkpoint']['path']} is not what the manifest {manifest['id']} names; nothing was loaded:"
        raise ResumeError("\n  ".join([head, *wrong, "Pick another checkpoint, or bring the files back."]))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# --- what the job has ---------------------------------------------------------------------------------------------

# Parts of a path under which metrics lie: every epoch resets them, so they are told, and never in the way.
_PASSING = frozenset({"keras_api", "metrics", "_metrics", "_compile_metrics", "loss_tracker", "_loss_tracker"})
_PASSING |= {"compiled_metrics", "compiled_loss", "metrics_variables"}
_COUNTERS = ("_iterations", "iter", "iterations")
_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def _passes(path: str) -> bool:
    return not _PASSING.isdisjoint(path.split("/"))


def _children(item: Any) -> Mapping[str, Any]:  # noqa: ANN401 - TensorFlow has no types
    import tensorflow as tf

    found: dict[str, Any] = dict(tf.train.TrackableView.children(item))
    for part in getattr(item, "_attached_dependencies", None) or ():  # of tf.train.Checkpoint(root)
        found |= dict(_children(part.ref)) if part.name == "root" else {part.name: part.ref}
    return found


def _walk(root: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Every trackable object below one, each once, with its shortest path; those nearest first."""
    seen, queue = {id(root)}, [("", root)]
    for path, item in queue:
        yield path, item
        for name, child in _children(item).items():
            if id(child) not in seen:
                seen.add(id(child))
                queue.append((f"{path}/{name}" if path else name, child))


def _is_variable(item: object) -> bool:
    return all(hasattr(item, name) for name in ("assign", "numpy", "shape", "dtype"))


def _is_optimizer(item: object) -> bool:
    return hasattr(item, "apply_gradients") and hasattr(item, "iterations")


def _name(variable: Any) -> str:  # noqa: ANN401
    return str(getattr(variable, "path", variable.name)).partition(":")[0]


def _kind(shape: Any, dtype: Any) -> str:  # noqa: ANN401
    return f"{getattr(dtype, 'name', dtype)} {tuple(shape)}"


def _package(model: object) -> str | None:
    """`keras` or `tf_keras`, whichever a model is made of; None for neither."""
    tops = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    return next((top for top in tops if top in ("keras", "tf_keras")), None)


def _generation(model: object) -> int:
    """2 or 3: the Keras that a model is made of; 0 for none."""
    name = _package(model)
    return int(importlib.import_module(name).__version__.partition(".")[0]) if name else 0


class _Live:
    """The objects of the job, with their optimizers built, so that no state is dropped for want of a place."""

    def __init__(self, model: Any, checkpoint: Any, manager: Any, optimizer: Any) -> None:  # noqa: ANN401
        import tensorflow as tf

        self.model, self.manager = model, manager
        self.checkpoint = manager.checkpoint if manager is not None else checkpoint
        if model is None and self.checkpoint is None:
            raise ResumeError("Nothing to restore into: pass model=, checkpoint= or manager= to resume().")
        # Variables are made here, before the chief chooses: under a strategy all workers must make them together.
        with contextlib.suppress(AttributeError):
            self.checkpoint.save_counter  # noqa: B018 - makes it, so that it is restored
        given = {"model": model, "optimizer": optimizer, "checkpoint": self.checkpoint}
        self.root = tf.train.Checkpoint(**{name: item for name, item in given.items() if item is not None})
        objects = list(_walk(self.root))
        self.models = [item for _, item in objects if isinstance(item, tf.Module) or hasattr(item, "fit")]
        self.models = [item for item in self.models if not _is_optimizer(item)]
        for item in self.models:
            if hasattr(item, "fit") and not item.built:
                raise ResumeError(
                    f"The model {item.name} has no variables yet: call it on a batch, or model.build(input_shape), "
                    "before resume()."
                )
        self.optimizers = [item for _, item in objects if _is_optimizer(item)]
        if model is not None and getattr(model, "optimizer", None) is not None:
            self.optimizers += [model.optimizer] if all(model.optimizer is not o for o in self.optimizers) else []
        inner = {id(getattr(item, "inner_optimizer", None)) for item in self.optimizers}
        self.optimizers = [item for item in self.optimizers if id(item) not in inner]
        for item in self.optimizers:
            self._build(item)

    def _build(self, optimizer: Any) -> None:  # noqa: ANN401
        """Make an optimizer's slots for what it trains; ResumeError if that cannot be told."""
        if getattr(optimizer, "built", False) or getattr(optimizer, "_built", False):
            return
        owners = [item for item in self.models if getattr(item, "optimizer", None) is optimizer]
        named = list(_children(self.checkpoint).values()) if self.checkpoint is not None else []
        owners = owners or [item for item in (self.model, *named) if any(item is model for model in self.models)]
        owners = [item for number, item in enumerate(owners) if all(item is not former for former in owners[:number])]
        if len(owners) != 1:
            raise ResumeError(
                f"What the optimizer {getattr(optimizer, 'name', optimizer)} trains cannot be told: call "
                "optimizer.build(variables) before resume(), or its state would be dropped without a word."
            )
        if hasattr(optimizer, "build"):
            optimizer.build(list(owners[0].trainable_variables))
        elif hasattr(optimizer, "_create_all_weights"):  # an optimizer of Keras 2's legacy kind
            optimizer._create_all_weights(owners[0].trainable_variables)  # noqa: SLF001 - no public name

    def variables(self) -> list[Any]:
        """Everything that a restore may change, each once."""
        found = [item for _, item in _walk(self.root) if _is_variable(item)]
        for item in (*self.models, *self.optimizers):
            own = getattr(item, "variables", ())
            found += own() if callable(own) else own
        return list({id(item): item for item in found}.values())

    def only_optimizer(self) -> Any:  # noqa: ANN401
        """The one whose settings are overridden, the innermost of a wrapped one; None unless there is exactly one."""
        if len(self.optimizers) != 1:
            return None
        return getattr(self.optimizers[0], "inner_optimizer", None) or self.optimizers[0]


@dataclass
class _Plan:
    """How one checkpoint would be loaded. `differences` must be empty, `notes` are told. `read` reads every tensor
    and raises where one cannot be read; `check` says, after `load`, which variables do not have their value.
    """

    load: Callable[[], None]
    check: Callable[[], list[str]]
    read: Callable[[], None]
    differences: list[str]
    notes: list[str]
    step: int | None
    has_optimizer: bool


_RESTARTS = "The checkpoint holds no optimizer state: the optimizer restarts, its moments and its count of steps at 0."


# --- TensorFlow's bundles, SavedModels too ------------------------------------------------------------------------


def _root_for(names: set[str], live: _Live) -> Any:  # noqa: ANN401
    """The object that was saved as the root of a bundle, by the names of its parts."""
    import tensorflow as tf

    if live.checkpoint is not None:
        return live.checkpoint
    if "model" not in names and names != {"optimizer"}:
        return tf.train.Checkpoint(live.model)  # the model itself was saved
    parts = {"model": live.model, "optimizer": getattr(live.model, "optimizer", None)}
    return tf.train.Checkpoint(**{name: item for name, item in parts.items() if name in names and item is not None})


class _Bundle:
    """A bundle matched with the live objects: node by node, by the names of the edges, as TensorFlow does it."""

    def __init__(self, prefix: str, live: _Live, root: Any = None) -> None:  # noqa: ANN401
        import tensorflow as tf
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        self.prefix, self.live = prefix, live
        self.reader = tf.train.load_checkpoint(prefix)
        self.shapes = self.reader.get_variable_to_shape_map()
        self.dtypes = self.reader.get_variable_to_dtype_map()
        if _GRAPH not in self.shapes:
            raise ResumeError(f"{prefix} is TF1's kind, saved by name: restore it with tf.compat.v1.train.Saver.")
        self.graph = TrackableObjectGraph()
        self.graph.ParseFromString(self.reader.get_tensor(_GRAPH))
        names = {edge.local_name for edge in self.graph.nodes[0].children} - {"save_counter"}
        self.root = root if root is not None else _root_for(names, live)
        self.matched: dict[int, Any] = {}
        self.paths: dict[int, str] = {}
        self._match()
        self.pairs = {
            id(self.matched[number]): (attribute.checkpoint_key, self.matched[number], number)
            for number, node in enumerate(self.graph.nodes)
            for attribute in node.attributes
            if number in self.matched and _is_variable(self.matched[number])
        }

    def _match(self) -> None:
        self.matched[0], self.paths[0] = self.root, ""
        queue = [0]
        for number in queue:
            item = self.matched.get(number)
            parts = {} if item is None else _children(item)
            for edge in self.graph.nodes[number].children:
                if edge.node_id not in self.paths:
                    self.paths[edge.node_id] = f"{self.paths[number]}/{edge.local_name}".lstrip("/")
                    queue.append(edge.node_id)
                if edge.local_name in parts and edge.node_id not in self.matched:
                    self.matched[edge.node_id] = parts[edge.local_name]
                    queue.append(edge.node_id)  # again, if it was met before its object was known
        for number, node in enumerate(self.graph.nodes):
            for slot in node.slot_variables:  # Keras 2's legacy optimizers
                path = f"{self.paths.get(number, number)}/{slot.slot_name}"
                self.paths.setdefault(slot.slot_variable_node_id, f"{path}/{slot.original_variable_node_id}")
                owner, original = self.matched.get(number), self.matched.get(slot.original_variable_node_id)
                if owner is not None and original is not None and slot.slot_name in owner.get_slot_names():
                    self.matched[slot.slot_variable_node_id] = owner.get_slot(original, slot.slot_name)

    def plan(self) -> _Plan:
        """Compare everything; see _Plan."""
        own = [self._own(item) for item in self.live.optimizers]
        differences, notes, passed = [], [], 0
        for number, node in enumerate(self.graph.nodes):
            path = self.paths.get(number, str(number))
            for attribute in node.attributes if number not in self.matched else ():
                if path == "save_counter":
                    continue
                if _passes(path):
                    passed += 1
                    continue
                key = attribute.checkpoint_key
                differences.append(f"unexpected: {path}, {_kind(self.shapes.get(key, ()), self.dtypes.get(key))}")
        for key, variable, _ in self.pairs.values():
            wanted, held = _kind(variable.shape, variable.dtype), _kind(self.shapes[key], self.dtypes[key])
            if wanted != held:
                differences.append(f"shape or dtype: {_name(variable)} is {wanted} in the model, {held} in the file")
        without = [mine for mine in own if not any(id(item) in self.pairs for item in mine)]
        absent = {id(item) for mine in without for item in mine}
        if any(without):
            notes.append(_RESTARTS)
        for path, item in [*_walk(self.root), *((_name(item), item) for mine in own for item in mine)]:
            if not _is_variable(item) or id(item) in self.pairs or id(item) in absent or path == "save_counter":
                continue
            absent.add(id(item))
            if _passes(path):
                passed += 1
            else:
                differences.append(f"missing from the file: {path}, {_kind(item.shape, item.dtype)}")
        if passed:
            notes.append(f"{passed} values of metrics are not restored: every epoch begins them anew.")
        differences += self._slots([item for mine in own for item in mine])
        return _Plan(
            load=self._load,
            check=self._check,
            read=self._read,
            differences=differences,
            notes=notes,
            step=self._step([item for mine in own for item in mine]),
            has_optimizer=any(id(item) in self.pairs for mine in own for item in mine),
        )

    def _own(self, optimizer: Any) -> list[Any]:  # noqa: ANN401
        """An optimizer's own variables, without what it trains."""
        found = [item for path, item in _walk(optimizer) if _is_variable(item) and "_trainable_variables" not in path]
        trained = {id(item) for model in self.live.models for item in model.trainable_variables}
        slots = optimizer.get_slot_names() if hasattr(optimizer, "get_slot_names") else ()
        found += [optimizer.get_slot(item, slot) for item in self._trained() for slot in slots]
        return [item for item in found if id(item) not in trained]

    def _trained(self) -> list[Any]:
        return [item for model in self.live.models for item in model.trainable_variables]

    def _slots(self, own: list[Any]) -> list[str]:
        """Optimizer variables that have another meaning in the file: momentum where the model has velocity."""
        mine = {id(item) for item in own}
        full = {number: node.attributes[0].full_name for number, node in enumerate(self.graph.nodes) if node.attributes}
        here = [_name(item) for item in self._trained()]
        there = [full[number] for key, item, number in self.pairs.values() if id(item) not in mine]
        found = []
        for _, item, number in self.pairs.values():
            if id(item) in mine:
                wanted, held = _meaning(_name(item), here), _meaning(full[number], there)
                if wanted and held and wanted != held:
                    found.append(f"slot: {_name(item)} is {wanted!r} in the model, {held!r} in the file")
        return found

    def _step(self, own: list[Any]) -> int | None:
        names = {id(item): path for path, item in _walk(self.root)}
        counters = [item for item in own if names.get(id(item), "").rpartition("/")[2] in (*_COUNTERS, "0")]
        counters = [item for item in counters if not tuple(item.shape) and "int" in str(item.dtype)]
        values = [int(self.reader.get_tensor(self.pairs[id(item)][0])) for item in counters if id(item) in self.pairs]
        if not values:
            steps = [item for name in ("step", "global_step") if (item := _children(self.root).get(name)) is not None]
            values = [int(self.reader.get_tensor(self.pairs[id(item)][0])) for item in steps if id(item) in self.pairs]
        return max(values, default=None)

    def _read(self) -> None:
        for key, dtype in self.dtypes.items():
            if dtype.name != "variant":
                self.reader.get_tensor(key)

    def _load(self) -> None:
        is_whole = self.root is self.live.checkpoint
        (self.root.restore if is_whole else self.root.read)(self.prefix).expect_partial()

    def _check(self) -> list[str]:
        wrong = []
        for key, variable, _ in self.pairs.values():
            if self.reader.get_tensor(key).tobytes() != variable.numpy().tobytes():
                wrong.append(_name(variable))
        return wrong


def _meaning(name: str, trained: Sequence[str]) -> str | None:
    """What a slot is for: what stands in its name behind the variable that it belongs to (Keras 3), else before it
    (Keras 2: `Adam/m/dense/kernel`, whose first part depends on where the slots were made).
    """
    plain = name.replace("/", "_")
    owners = sorted((other.replace("/", "_") for other in trained), key=len, reverse=True)
    owner = next((other for other in owners if other in plain), None)
    if owner is None:
        return None
    start = plain.rindex(owner)
    return plain[start + len(owner) :].strip("_") or name[:start].strip("/").rpartition("/")[2]


# --- Keras' own files ---------------------------------------------------------------------------------------------

_KERAS_COUNTER = re.compile(r"(^|/)(\w*optimizer)(/inner_optimizer)?/vars/0")


def _require_generation(model: Any, written: int, path: Path) -> None:  # noqa: ANN401
    here = _generation(model)
    if not here:
        raise ResumeError(f"{path.name} is a Keras file: pass the Keras model as model= to resume().")
    if written and written != here:
        names = {2: "tf-keras (Keras 2)", 3: "Keras 3"}
        raise ResumeError(
            f"{names.get(written, written)} wrote {path.name}, and the model is made of {names[here]}, which does not "
            "restore it: go on with the framework that wrote it."
        )


def _datasets(group: Any) -> dict[str, Any]:  # noqa: ANN401 - h5py has no types
    """Every dataset of an HDF5 group by its path, as an array; and the titles of the optimizers, as text."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:  # noqa: ANN401
        if hasattr(item, "dtype"):
            found[name] = item[()]
        elif name.endswith("optimizer/vars") and "name" in item.attrs:
            found[f"{name} (optimizer)"] = re.sub(r"_\d+$", "", str(item.attrs["name"]))

    group.visititems(visit)
    return found


def _compare(
    theirs: Mapping[str, Any], own: Mapping[str, Any], is_optimizer: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    """Differences and notes between a file's arrays and those that the model would write."""
    differences, passed = [], 0
    restarts = any(map(is_optimizer, own)) and not any(map(is_optimizer, theirs))
    for name in dict.fromkeys([*theirs, *own]):
        if _passes(name):
            passed += name in theirs
        elif name not in own:
            differences.append(f"unexpected: {name}, {_shown(theirs[name])}")
        elif name not in theirs:
            if not (restarts and is_optimizer(name)):
                differences.append(f"missing from the file: {name}, {_shown(own[name])}")
        elif _shown(theirs[name]) != _shown(own[name]):
            kind = "slot" if isinstance(own[name], str) else "shape or dtype"
            told = f"is {_shown(own[name])} in the model, {_shown(theirs[name])} in the file"
            differences.append(f"{kind}: {name} {told}")
    told = f"{passed} values of metrics are not restored: every epoch begins them anew."
    return differences, [told] if passed else []


def _shown(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else _kind(value.shape, value.dtype)


def _unequal(theirs: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """The names in both whose values differ."""
    shared = [name for name in theirs if name in own and not _passes(name)]
    return [n for n in shared if not isinstance(own[n], str) and theirs[n].tobytes() != own[n].tobytes()]


def _arrays_plan(
    theirs: dict[str, Any],
    write: Callable[[], dict[str, Any]],
    load: Callable[[], None],
    step: int | None,
    is_optimizer: Callable[[str], bool],
) -> _Plan:
    """A plan for a file whose arrays were read: the model writes its own, which are compared before and after."""
    differences, notes = _compare(theirs, write(), is_optimizer)
    return _Plan(
        load=load,
        check=lambda: _unequal(theirs, write()),
        read=lambda: None,  # reading the file was reading everything
        differences=differences,
        notes=notes,
        step=step,
        has_optimizer=any(map(is_optimizer, theirs)),
    )


def _quietly(call: Callable[[], object]) -> None:
    """Without the warnings of what the notes say already."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()


def _keras_plan(path: Path, live: _Live) -> _Plan:
    """A `.keras` file's weights or a `.weights.h5`, by what the model itself would write."""
    import h5py

    model, written, kind = live.model, 0, None
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            written = int(json.loads(archive.read("metadata.json"))["keras_version"].partition(".")[0])
            compiled = json.loads(archive.read("config.json")).get("compile_config") or {}
            kind = (compiled.get("optimizer") or {}).get("class_name") if isinstance(compiled, dict) else None
            _require_generation(model, written, path)
            with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                theirs = _datasets(file)
    else:
        _require_generation(model, written, path)
        with h5py.File(path, "r") as file:
            theirs = _datasets(file)
    counters = [int(value) for name, value in theirs.items() if _KERAS_COUNTER.fullmatch(name) and not value.shape]

    def write() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            model.save_weights(f"{folder}/own.weights.h5")
            with h5py.File(f"{folder}/own.weights.h5", "r") as file:
                return _datasets(file)

    def load() -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = path
            if path.name.endswith(".bkp"):  # BackupAndRestore's second copy, a name that Keras does not take
                own = Path(folder, "copy.weights.h5")
                own.symlink_to(path.absolute())
            _quietly(lambda: model.load_weights(str(own)))

    plan = _arrays_plan(
        theirs,
        write,
        load,
        max(counters, default=None),
        lambda name: name.partition("/")[0].endswith("optimizer"),
    )
    own_kind = type(model.optimizer).__name__ if getattr(model, "optimizer", None) is not None else None
    if plan.has_optimizer and kind and own_kind and kind.rpartition(">")[2] != own_kind:
        plan.differences.append(f"slot: the optimizer is {own_kind} in the model, {kind} in the file")
    return plan


def _h5_plan(path: Path, live: _Live) -> _Plan:
    """A legacy `.h5`: Keras loads its weights, and the optimizer's, in the order of the file, are assigned here."""
    import h5py

    model = live.model
    with h5py.File(path, "r") as file:
        top = file.get("model_weights", file)
        version = top.attrs.get("keras_version", file.attrs.get("keras_version", "0"))
        version = version.decode() if isinstance(version, bytes) else version
        _require_generation(model, int(str(version).partition(".")[0]), path)
        theirs, values = _ordered(file)

    def write() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            own = f"{folder}/own.h5"
            _quietly(lambda: model.save(own, **({"save_format": "h5"} if _generation(model) == 2 else {})))
            with h5py.File(own, "r") as file:
                return _ordered(file)[0]

    def load() -> None:
        _quietly(lambda: model.load_weights(str(path)))
        own = getattr(model.optimizer, "variables", ()) if values else ()
        for variable, (_, value) in zip(own() if callable(own) else own, values, strict=True):
            variable.assign(value)

    counters = [value for name, value in values if re.search(r"(^|/)iter(ation)?s?(:0)?$", name) and not value.shape]
    step = max(map(int, counters), default=None)
    return _arrays_plan(theirs, write, load, step, lambda name: name.startswith("optimizer"))


def _ordered(file: Any) -> tuple[dict[str, Any], list[tuple[str, Any]]]:  # noqa: ANN401
    """A legacy file's arrays by layer and place, for names count up from model to model, and what each slot is for;
    and the optimizer's names and arrays in their order.
    """

    def texts(group: Any, name: str) -> list[str]:  # noqa: ANN401
        parts = [group.attrs[name]] if name in group.attrs else []
        while not parts or f"{name}{len(parts) - 1}" in group.attrs:  # long lists are split
            if f"{name}{len(parts)}" not in group.attrs:
                break
            parts.append(group.attrs[f"{name}{len(parts)}"])
        return [item.decode() if isinstance(item, bytes) else str(item) for part in parts for item in part]

    top = file.get("model_weights", file)
    found: dict[str, Any] = {}
    trained: list[str] = []
    layers = [name for name in texts(top, "layer_names") if texts(top[name], "weight_names")]
    for number, layer in enumerate([*layers, *(n for n in ("top_level_model_weights",) if n in top)]):
        for place, name in enumerate(texts(top[layer], "weight_names")):
            trained.append(name.partition(":")[0])
            found[f"layer {number}/{place}"] = top[layer][name][()]
    values = []
    if "optimizer_weights" in file:
        group = file["optimizer_weights"]
        for place, name in enumerate(texts(group, "weight_names")):
            values.append((name, group[name][()]))
            found[f"optimizer/{place}"] = values[-1][1]
            found[f"optimizer/{place} (slot)"] = _meaning(name.partition(":")[0], trained) or ""
    return found, values


def _orbax_plan(path: Path, live: _Live) -> _Plan:
    """A step of Keras 3's OrbaxCheckpoint: its tree of values, by the paths of the model's own state tree."""
    import orbax.checkpoint as ocp

    model = live.model
    _require_generation(model, 3, path)
    logging.getLogger("absl").setLevel(logging.ERROR)
    tree = ocp.PyTreeCheckpointer().restore(str(path / "pytree"))
    own = _flat(model.get_state_tree(value_format="numpy_array"))
    # Keras stores scalars as Python's numbers, which have no type of their own: they get the model's.
    theirs = {name: _typed(value, own.get(name)) for name, value in _flat(tree).items()}
    counters = [v for name, v in theirs.items() if name.startswith("optimizer_variables/") and "iteration" in name]
    return _arrays_plan(
        theirs,
        lambda: _flat(model.get_state_tree(value_format="numpy_array")),
        lambda: model.set_state_tree(tree),
        max((int(value) for value in counters if not value.shape), default=None),
        lambda name: name.startswith("optimizer_variables/"),
    )


def _flat(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= _flat(value, f"{path}{name}/") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return found


def _typed(value: Any, like: Any) -> Any:  # noqa: ANN401
    import numpy as np

    array = np.asarray(value)
    return array.astype(like.dtype) if like is not None and not array.shape and not like.shape else array


# --- which checkpoint ---------------------------------------------------------------------------------------------

_SKIPPED = frozenset({HIDDEN, ".git", ".venv", "node_modules", "site-packages", "__pycache__"})
_EPOCH = re.compile(r"(?:^|[^a-z0-9])e(?:p|poch)?[-_=]?(?P<number>\d+)(?=$|[^0-9.])", re.IGNORECASE)  # as core reads it
_TEMP_FOLDER = re.compile(r".+_temp(?:_[0-9a-f]{32})?", re.DOTALL)
_TEMP_PART = re.compile(r"part-\d+-of-\d+\..+", re.DOTALL)
_USELESS = 2.0  # seconds: checkpoints that were all saved within them were copied, and their times tell nothing
_ENDINGS = re.compile(r"(?:\.(?:weights\.h5|weights\.json|keras|h5|hdf5|ckpt|tf))+$")
_REFUSED = {
    "tf-v1": "is TF1's kind, saved by name: restore it with tf.compat.v1.train.Saver",
    "weights-h5-sharded": "is sharded, which this client does not restore: use model.load_weights",
}


@dataclass
class _Found:
    """A checkpoint on disk: its path relative to the run as the manifest would write it, and when it was saved."""

    path: str
    format: str
    saved: float


def _checkpoints(run: Path) -> Iterator[_Found]:
    """Every checkpoint of a run that this client may restore, in no order. What was set aside is not among them."""
    for folder, folders, files in os.walk(run):
        here = Path(folder)
        folders[:] = [
            name
            for name in folders
            if name not in _SKIPPED and not ({MANIFEST, HIDDEN} & _names(here / name)) and not _is_temp(here / name)
        ]
        for name in [name for name in folders if "saved_model.pb" in _names(here / name)]:
            folders.remove(name)
            yield _found(run, here / name, "saved-model", here / name / "variables" / "variables.index")
        for name in [name for name in folders if "_CHECKPOINT_METADATA" in _names(here / name)]:
            folders.remove(name)
            yield _found(run, here / name, "orbax", here / name / "_CHECKPOINT_METADATA")
        for name in files:
            path = here / name
            if not path.is_file():
                continue  # a pipe would hang its reader
            if name.endswith(".index") and any(other.startswith(f"{path.stem}.data-") for other in files):
                yield _found(run, here / path.stem, "tf-bundle", path)
            elif name.endswith((".weights.h5", ".weights.h5.bkp")):
                yield _found(run, path, "weights-h5", path)
            elif path.suffix in (".keras", ".h5", ".hdf5"):
                yield _found(run, path, "keras" if path.suffix == ".keras" else "hdf5", path)


def _is_temp(folder: Path) -> bool:
    """Whether a folder is one in which TensorFlow writes a bundle's parts; people use that ending too."""
    names = _names(folder) if _TEMP_FOLDER.fullmatch(folder.name) else set()
    return bool(names) and all(_TEMP_PART.fullmatch(name) for name in names)


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _found(run: Path, path: Path, kind: str, dated: Path) -> _Found:
    """The last file that is written of a checkpoint dates it."""
    with contextlib.suppress(OSError):
        return _Found(path.relative_to(run).as_posix(), kind, dated.stat().st_mtime)
    return _Found(path.relative_to(run).as_posix(), kind, 0.0)


def _plan(path: Path, kind: str, live: _Live) -> _Plan:
    """Match a checkpoint with the job's objects. ResumeError for a format that this job cannot restore."""
    if kind in _REFUSED:
        raise ResumeError(f"{path.name} {_REFUSED[kind]}.")
    if kind == "tf-bundle":
        return _Bundle(str(path), live).plan()
    if live.model is None:
        raise ResumeError(f"{path.name} has the format {kind}: pass the Keras model as model= to resume().")
    if kind == "saved-model" and _generation(live.model) != 2:
        raise ResumeError(f"{path.name} is a SavedModel, which training goes on from in tf-keras only.")
    if kind == "saved-model":
        import tensorflow as tf

        return _Bundle(str(path / "variables" / "variables"), live, tf.train.Checkpoint(live.model)).plan()
    return {"keras": _keras_plan, "weights-h5": _keras_plan, "hdf5": _h5_plan, "orbax": _orbax_plan}[kind](path, live)


def _eligible(run: Path, live: _Live) -> list[_Found]:
    """The run's checkpoints of the formats that this job can restore; a manager's are its own only."""
    found = list(_checkpoints(run)) if live.manager is None else list(_of_manager(run, live.manager))
    if live.model is None:
        found = [item for item in found if item.format == "tf-bundle"]
    elif live.manager is None and live.checkpoint is None and _generation(live.model) == 3:
        found = [item for item in found if item.format != "saved-model"]
    saved = [item.saved for item in found]
    is_useless = len(found) > 1 and max(saved) - min(saved) <= _USELESS

    def order(item: _Found) -> tuple[float, list[int]]:
        return (0.0 if is_useless else item.saved, _numbers(item.path))

    return sorted(found, key=order, reverse=True)


def _of_manager(run: Path, manager: Any) -> Iterator[_Found]:  # noqa: ANN401
    """A CheckpointManager's own checkpoints, also where a link in the run leads to its folder."""
    real = Path(os.path.realpath(manager.directory))
    given = Path(os.path.abspath(manager.directory))
    place = next((p for p in (real, Path(os.path.realpath(given.parent)) / given.name) if p.is_relative_to(run)), None)
    own = re.compile(re.escape(Path(manager._checkpoint_prefix).name) + r"-\d+")  # noqa: SLF001
    names = _names(place) if place is not None else set()
    for name in (name.removesuffix(".index") for name in names if name.endswith(".index")):
        if place is not None and own.fullmatch(name) and any(other.startswith(f"{name}.data-") for other in names):
            yield _found(run, place / name, "tf-bundle", place / f"{name}.index")


def _first_that_fits(
    run: Path,
    found: Sequence[_Found],
    live: _Live,
    told: list[str],
    accepts: Callable[[_Plan], bool] = lambda _plan: True,
) -> tuple[_Found, _Plan] | None:
    """The first whose every tensor is read and fits. Those with optimizer state go before those without.

    Each that is passed over is told with its reason. If none fits and one is whole, its ResumeError is raised: a
    fresh start would lose it. Damaged ones alone (a kill during the first save) do not stand in the way of one.
    """
    weights_only: tuple[_Found, _Plan] | None = None
    misfit: ResumeError | None = None
    for item in found:
        try:
            plan = _plan(run / item.path, item.format, live)
            if not accepts(plan):
                told.append(f"{item.path} is passed over: older than the manifest's, or without optimizer state.")
                continue
            plan.read()
        except ResumeError as error:
            misfit = misfit or error
            told.append(f"{item.path} is passed over: {error}")
            continue
        except Exception as error:  # noqa: BLE001 - a damaged file makes its reader raise whatever it likes
            reason = str(error).partition("\n")[0] or type(error).__name__
            told.append(f"{item.path} is passed over, it cannot be restored: {reason}")
            continue
        if plan.differences:
            misfit = misfit or MismatchError(item.path, plan.differences)
            told.append(f"{item.path} is passed over, it does not fit the model: {plan.differences[0]}")
        elif plan.has_optimizer or not live.optimizers:
            return item, plan
        else:
            weights_only = weights_only or (item, plan)
    if weights_only is None and misfit is not None:
        raise misfit
    return weights_only


def _choose(decision: Decision, live: _Live, told: list[str]) -> tuple[_Found, _Plan] | None:
    """What the job restores; None for a fresh start."""
    run, manifest = decision.run, decision.manifest
    if manifest is None:
        return _first_that_fits(run, _eligible(run, live), live, told)
    picked = manifest["checkpoint"]
    is_begun = manifest["mode"] != "rewind" or (decision.claim or {}).get("rewound_at")
    if decision.is_restart and decision.claim is not None and is_begun:
        begun = decision.claim.get("rewound_at") or decision.claim["claimed_at"]
        claimed, least = _seconds(begun) or 0.0, manifest["restore"]["initial_step"]
        later = [item for item in _eligible(run, live) if item.saved >= claimed]
        needs_optimizer = picked["contents"] != "weights_only" and bool(live.optimizers)

        def follows(plan: _Plan) -> bool:
            is_later = least is None or plan.step is None or plan.step >= least
            return is_later and (plan.has_optimizer or not needs_optimizer)

        with contextlib.suppress(ResumeError):
            if (newest := _first_that_fits(run, later, live, told, follows)) is not None:
                return newest
        check_files(run, manifest)
    name = _from_text(picked["path"])
    plan = _plan(run / name, picked["format"], live)
    if plan.differences:
        raise MismatchError(picked["path"], plan.differences)
    return _Found(name, picked["format"], 0.0), plan


def _recorded_epoch(run: Path, path: str) -> int | None:
    """How many epochs are done, where a name or BackupAndRestore's record tells."""
    name = (run / path).name
    if name.startswith("latest.weights.h5"):
        record = _record((run / path).with_name(f"training_metadata.json{name[17:]}")) or {}
        return record["epoch"] if type(record.get("epoch")) is int else None
    found = _EPOCH.search(_ENDINGS.sub("", name))
    return int(found["number"]) if found else None


# --- rewind: what is newer is set aside ---------------------------------------------------------------------------

_REWOUND, _JOURNAL, _STATE = "rewound", "journal.json", "checkpoint"
_STATE_LINE = re.compile(rb'\s*(\w+)\s*:\s*("(?:[^"\\]|\\.)*"|[-+.\w]+)\s*')
_LATEST, _LISTED, _TIMES = b"model_checkpoint_path", b"all_model_checkpoint_paths", b"all_model_checkpoint_timestamps"
_PRESERVED = b"last_preserved_timestamp"
_STATE_FIELDS = (_LATEST, _LISTED, _TIMES, _PRESERVED)
_STATE_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)")
_STATE_LATER_NS = 1000  # so that a look at the folder sees the change, and the run does not look live
_BACKUP_FILES = ("latest.weights.h5", "training_metadata.json")
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})


class _Rewind:
    """One rewind: a batch in `.waypoint/rewound/<manifest id>`, whose journal has the form of core/storage/journal.py.

    Under the run's lock, in this order: the journal, the state files, the files, the journal's last stage. A kill at
    any instant leaves a journal by which the next start goes on, or Waypoint's undo goes back.
    """

    def __init__(self, decision: Decision) -> None:
        assert decision.manifest is not None
        assert decision.claim is not None
        self.run, self.manifest, self.claim = decision.run, decision.manifest, decision.claim
        self.batch = self.run / HIDDEN / _REWOUND / str(self.manifest["id"])
        self.picked = {_from_text(file["path"]) for file in self.manifest["checkpoint"]["files"]}

    def carry_out(self) -> dict[str, Any]:
        """Begin or complete it; the journal as it stands then. ResumeError, and then everything is in its place."""
        self._check_place()
        journal = self._journal()
        if journal is None or journal["stage"] == "undone":
            journal = self._begin()
        if journal["stage"] != "moving":
            return journal
        try:
            for state in journal["states"]:
                self._rewrite(state, "old", "new", state["mtime_ns"] + _STATE_LATER_NS)
            self._take(journal)
        except OSError as error:
            is_back = self._take_back(journal)
            where = "everything is in its place again" if is_back else f"undo brings back what lies in {self.batch}"
            raise ResumeError(
                f"{error.filename or self.run}: {error.strerror}. What is newer than "
                f"{self.manifest['checkpoint']['path']} could not be set aside; {where}, and "
                "nothing was loaded. Hand the checkpoint over as a fork, or let the job write there."
            ) from error
        return self._keep({**journal, "stage": "done"})

    def _journal(self) -> dict[str, Any] | None:
        path = self.batch / _JOURNAL
        if (self.batch.parent / f"{self.batch.name}.purged.json").exists():
            return {"stage": "purged", "items": []}
        found = _record(path, _LONG)
        problems = sorted(_problems(found, {**_JOURNAL_SPEC, "id": _one_of(self.manifest["id"])})) if found else []
        if found == {} or problems:
            raise ResumeError(
                "\n  ".join([f"{path} cannot be understood, nothing was moved or loaded. Move it away:", *problems])
            )
        return found

    def _check_place(self) -> None:
        """No link on the way: files must never leave the run."""
        for place in (self.run / HIDDEN, self.batch.parent, self.batch, self.batch / "files"):
            if place.is_symlink():
                raise ResumeError(f"{place} is a link: nothing is set aside through it. Nothing was loaded.")

    def _begin(self) -> dict[str, Any]:
        items = [item for item in self._items() if item["files"]]
        states = self._states(items)
        manifest = self.manifest
        journal = {
            "version": 1,
            "id": manifest["id"],
            "kind": "rewind",
            "by": manifest["created_by"],
            "at": _moment(time.time()),
            "note": manifest["note"],
            "stage": "moving",
            "items": items,
            "folders": self._folders(items),
            "states": states,
            "undo": None,
            "purge": None,
        }
        told = {"at": journal["at"], "actor": journal["by"], "event": "rewind", "batch": manifest["id"]}
        (self.run / HIDDEN).mkdir(exist_ok=True)
        _append(
            self.run / HIDDEN / "log.jsonl",
            {**told, "job": self.claim["job"], "items": [item["path"] for item in items]},
        )
        return self._keep(journal)

    def _keep(self, journal: dict[str, Any]) -> dict[str, Any]:
        _write(self.batch / _JOURNAL, journal)
        return journal

    def _items(self) -> Iterator[dict[str, Any]]:
        """What the plan names and is still there, and what was saved after the plan: this job has saved nothing yet."""
        plan = self._plan()
        planned = set()
        for item in plan["items"]:
            files = [_from_text(name) for name in item["files"]]
            planned.update(files)
            yield self._item(item["kind"], item["path"], item["format"], item["reason"], files)
        stays, inner = ({_from_text(name) for name in plan[key]} for key in ("stays", "inner"))
        for found in _checkpoints(self.run):
            if found.path in stays or any(folder in inner for folder in (*_above(found.path), found.path)):
                continue
            files = [name for name in self._files_of(found) if name not in planned]
            newest_ns = max((os.lstat(self.run / name).st_mtime_ns for name in files), default=0)
            if plan["since_ns"] < newest_ns and self.picked.isdisjoint(files):
                reason = f"saved after {self.manifest['checkpoint']['path']} was picked"
                yield self._item("checkpoint", _to_text(found.path), found.format, reason, files)

    def _plan(self) -> dict[str, Any]:
        """What the dashboard said would be set aside; ResumeError where it is missing or broken."""
        name = Path(HIDDEN, _REWOUND, f"{self.manifest['id']}.plan.json")
        for path in (home / name for home in _homes(self.run)):
            plan = _record(path, _LONG)
            if plan is None:
                continue
            spec = {**_PLAN_SPEC, "manifest": _one_of(self.manifest["id"])}
            if problems := sorted(_problems(plan, spec)):
                raise ResumeError("\n  ".join([f"{path} cannot be followed; nothing was moved or loaded:", *problems]))
            return plan
        raise ResumeError(
            f"The manifest {self.manifest['id']} rewinds, but {self.run / name}, which says what is to be set aside, "
            "is not there. Nothing was moved or loaded. Hand the checkpoint over again."
        )

    def _item(self, kind: str, path: str, form: str | None, reason: str, files: Sequence[str]) -> dict[str, Any]:
        own = [self._file(name) for name in files if name not in self.picked and _is_file(self.run, name)]
        return {"kind": kind, "path": path, "format": form, "reason": reason, "files": own, "elsewhere": None}

    def _file(self, name: str) -> dict[str, Any]:
        found = os.lstat(self.run / name)
        return {
            "path": _to_text(name),
            "size": found.st_size,
            "allocated": found.st_blocks * 512,
            "mtime_ns": found.st_mtime_ns,
            "mode": found.st_mode & 0o7777,
            "inode": found.st_ino,
            "device": found.st_dev,
            "links": found.st_nlink,
        }

    def _files_of(self, found: _Found) -> list[str]:
        """A checkpoint's files relative to the run, the one that makes it whole first."""
        path = self.run / found.path
        if found.format in ("saved-model", "orbax"):
            below = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
            marks = ("saved_model.pb", "_CHECKPOINT_METADATA")
            files = sorted(below, key=lambda file: (file.name not in marks, str(file)))
        elif found.format == "tf-bundle":
            own = re.compile(re.escape(path.name) + r"\.(index|meta|data-\d{5}-of-\d{5})")
            files = [path.parent / name for name in _names(path.parent) if own.fullmatch(name)]
            files.sort(key=lambda file: (file.suffix != ".index", file.name))
        elif path.name.startswith(_BACKUP_FILES[0]):
            files = [path.parent / name for name in sorted(_names(path.parent)) if name.startswith(_BACKUP_FILES)]
        else:
            files = [path]
        return [file.relative_to(self.run).as_posix() for file in files]

    # -- folders and files

    def _folders(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The folders on the way to the files, and those that hold nothing else and go with a checkpoint."""
        files = {_from_text(file["path"]) for item in items for file in item["files"]}
        going: set[str] = set()
        for item in items:
            top = self.run / _from_text(item["path"])
            for folder, below, names in os.walk(top, topdown=False) if top.is_dir() and item["path"] != "." else ():
                here = Path(folder).relative_to(self.run).as_posix()
                inside = [f"{here}/{name}" for name in names]
                if files.issuperset(inside) and going.issuperset(f"{here}/{name}" for name in below):
                    going.add(here)
        found = []
        for name in sorted({parent for file in files for parent in _above(file)} | going):
            facts = os.lstat(self.run / name)
            found.append(
                {
                    "path": _to_text(name),
                    "mode": facts.st_mode & 0o7777,
                    "uid": facts.st_uid,
                    "gid": facts.st_gid,
                    "mtime_ns": facts.st_mtime_ns,
                    "goes": name in going,
                }
            )
        return found

    def _take(self, journal: Mapping[str, Any]) -> None:
        """Rename every file that has not gone yet, then remove the folders that go."""
        target = self.batch / "files"
        target.mkdir(exist_ok=True)
        modes = {_from_text(folder["path"]): folder["mode"] for folder in journal["folders"]}
        touched = {target}
        for file in (file for item in journal["items"] for file in item["files"]):
            name = _from_text(file["path"])
            if not _is_file(self.run, name):
                continue  # a former start moved it, or somebody took it away meanwhile
            source, goal, found = self.run / name, target / name, os.lstat(self.run / name)
            if any((target / parent).is_symlink() for parent in _above(name)):
                raise OSError(errno.ELOOP, "a link stands on the way", str(goal))
            if os.path.lexists(goal):
                if os.path.samestat(found, os.lstat(goal)):
                    os.unlink(source)  # two names of one file, from an undo that was killed
                continue  # what stands in its place was saved since: nothing is ever replaced
            if (found.st_size, found.st_mtime_ns) != (file["size"], file["mtime_ns"]):
                continue  # saved again since the journal was written
            for parent in _above(name):
                if not (target / parent).is_dir():
                    os.mkdir(target / parent, modes.get(parent, 0o777) | 0o700)
                touched |= {self.run / parent, target / parent}
            os.rename(source, goal)
        for folder in reversed(journal["folders"]):
            if folder["goes"]:
                with contextlib.suppress(OSError):  # something came meanwhile
                    os.rmdir(self.run / _from_text(folder["path"]))
        for place in (*touched, self.run):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _sync(place)

    def _take_back(self, journal: Mapping[str, Any]) -> bool:
        """Put everything in its place again; what cannot be put back stays in the batch, for Waypoint's undo."""
        stays = False
        for file in (file for item in reversed(journal["items"]) for file in reversed(item["files"])):
            name = _from_text(file["path"])
            try:
                if _is_file(self.batch / "files", name) and not os.path.lexists(self.run / name):
                    (self.run / name).parent.mkdir(parents=True, exist_ok=True)
                    os.rename(self.batch / "files" / name, self.run / name)
            except OSError:
                stays = True
        for state in journal["states"]:
            with contextlib.suppress(OSError):
                self._rewrite(state, "new", "old", state["mtime_ns"])
        if not stays:
            self._keep({**journal, "stage": "undone", "undo": {"by": journal["by"], "at": _moment(time.time())}})
        return not stays

    # -- state files

    def _states(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the state files say now and must say then. One that names only what goes, goes with it."""
        gone = {_from_text(item["path"]): item for item in items if item["format"] == "tf-bundle"}
        picked = _from_text(self.manifest["checkpoint"]["path"])
        is_bundle = self.manifest["checkpoint"]["format"] == "tf-bundle"
        folders = {name.rpartition("/")[0] for name in (*gone, *((picked,) if is_bundle else ()))}
        states = []
        for folder in sorted(folders):
            path = f"{folder}/{_STATE}" if folder else _STATE
            old = _read(self.run / path) if _is_file(self.run, path) else None
            if old is None:
                continue
            latest = picked.rpartition("/")[2] if is_bundle and picked.rpartition("/")[0] == folder else None
            new = _state_without(old, self.run / folder, {str(self.run / name) for name in gone}, latest)
            if new is None:
                own = [item for name, item in gone.items() if name.rpartition("/")[0] == folder]
                own[-1]["files"].append(self._file(path))
            elif new != old:
                with contextlib.suppress(UnicodeDecodeError):  # TensorFlow cannot read it either: it stays
                    texts = {"old": old.decode(), "new": new.decode()}
                    states.append({**texts, "path": _to_text(path), "mtime_ns": os.lstat(self.run / path).st_mtime_ns})
        return states

    def _rewrite(self, state: Mapping[str, Any], old: str, new: str, mtime_ns: int) -> None:
        """Write one of a state file's contents in the place of the other; what somebody wrote since stays."""
        path = self.run / _from_text(state["path"])
        if _is_file(self.run, _from_text(state["path"])) and _read(path) == state[old].encode():
            former = path.stat()
            temp = _fresh_file(self.batch, state[new].encode())
            with contextlib.suppress(OSError):  # only root gives files away, and others only to their groups
                os.chown(temp, former.st_uid, former.st_gid)
            os.chmod(temp, former.st_mode & 0o7777)
            os.utime(temp, ns=(mtime_ns, mtime_ns))
            os.replace(temp, path)
            _sync(path.parent)


def _state_without(old: bytes, folder: Path, gone: set[str], latest: str | None) -> bytes | None:
    """A state file without the checkpoints (absolute prefixes) that go, about `latest` if that lies there.

    None if it names nothing that stays. Nothing is listed that the old one did not list, for a CheckpointManager
    deletes what is listed. One that cannot be read becomes one about `latest` alone.
    """
    entries = [_STATE_LINE.fullmatch(line) for line in old.splitlines() if line.strip()]
    lines = [
        (entry[1], entry[2])
        for entry in entries
        if entry is not None and entry[1] in (_LATEST, _LISTED, _TIMES, _PRESERVED)
    ]
    if len(lines) < len(entries):
        return old if latest is None else _LATEST + b": " + _quoted(latest) + b"\n"
    named, times = ([value for name, value in lines if name == field] for field in (_LISTED, _TIMES))
    kept = [place for place, value in enumerate(named) if _prefix(value, folder) not in gone]
    first = next((value for name, value in lines if name == _LATEST), None)
    if latest is None and (first is None or _prefix(first, folder) in gone):
        standing = [named[place] for place in kept if Path(f"{_prefix(named[place], folder)}.index").exists()]
        first = standing[-1] if standing else None
    elif latest is not None:
        spelled = (value for value in (first, *named) if value and _prefix(value, folder) == str(folder / latest))
        first = next(spelled, _quoted(latest))
    if first is None:
        return None
    new = [(_LATEST, first), *((_LISTED, named[place]) for place in kept)]
    new += [(_TIMES, times[place]) for place in kept if place < len(times)]
    new += [(name, value) for name, value in lines if name == _PRESERVED]
    return old if new == lines else b"".join(name + b": " + value + b"\n" for name, value in new)


def _prefix(value: bytes, folder: Path) -> str:
    """The absolute prefix that a quoted path in a state file means."""

    def plain(match: re.Match[bytes]) -> bytes:
        code = match[1]
        named = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
        return bytes([int(code, 8) & 255]) if code.isdigit() else named.get(code, code)

    name = os.fsdecode(_STATE_ESCAPE.sub(plain, value[1:-1]))
    whole = os.path.join(folder, name)
    return os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))


def _quoted(name: str) -> bytes:
    """A name as TensorFlow writes it into a state file."""
    letters = os.fsencode(name)
    return b'"%b"' % b"".join(
        b"%c" % byte if 32 <= byte < 127 and byte not in b"\"'\\" else b"\\%03o" % byte for byte in letters
    )


def _to_text(name: str) -> str:
    r"""A name on disk as manifests and journals hold it, with `\xNN` for what is no printable text."""
    if "\\" in name:
        name = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", name)
    if name.isprintable():
        return name
    letters = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        "".join(f"\\x{byte:02x}" for byte in letter.encode()) if unicodedata.category(letter) in _UNSEEN else letter
        for letter in letters
    )


def _above(name: str) -> Iterator[str]:
    """The folders above a file, from the run's own (left out) down."""
    parts = name.split("/")[:-1]
    return ("/".join(parts[: number + 1]) for number in range(len(parts)))


def _is_file(base: Path, name: str) -> bool:
    """Whether a file is there, reached through folders alone: no link leads out of the run."""
    if any((base / parent).is_symlink() for parent in _above(name)):
        return False
    return os.path.lexists(base / name) and not ((base / name).is_dir() and not (base / name).is_symlink())


def _append(path: Path, value: Mapping[str, object]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(json.dumps(value).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _size(value: object) -> str | None:
    return None if type(value) is int and value >= 0 else "no whole number from 0 on"


def _in_run(value: object) -> str | None:
    """A path below the run that is not one of Waypoint's own."""
    problem = _path(value)
    first = "" if problem else _from_text(str(value)).partition("/")[0]
    return problem or (f"{first} is no part of a checkpoint" if first in (HIDDEN, MANIFEST) else None)


_ITEM: dict[str, Any] = {
    "kind": _one_of("checkpoint", "leftover"),
    "path": _place,
    "format": _or_null(_one_of(*_FORMATS)),
    "reason": _text,
    "files": [_in_run],
}
_PLAN_SPEC: dict[str, Any] = {
    "version": _version,
    "since_ns": _count,
    "items": [_ITEM],
    "stays": [_place],
    "inner": [_path],
}
_FACTS = dict.fromkeys(("size", "allocated", "mode", "inode", "device", "links"), _size)
_OWNER = dict.fromkeys(("mode", "uid", "gid"), _size)
_JOURNAL_SPEC: dict[str, Any] = {
    "version": _version,
    "kind": _one_of("rewind"),
    "by": _text,
    "at": _like(_UTC, "time in UTC"),
    "note": _text,
    "stage": _one_of("moving", "done", "undoing", "undone", "purging", "purged"),
    "items": [
        {**_ITEM, "files": [{"path": _in_run, "mtime_ns": _int, **_FACTS}], "elsewhere": _or_null(_in_run)},
    ],
    "folders": [{"path": _in_run, "mtime_ns": _int, "goes": _bool, **_OWNER}],
    "states": [{"path": _in_run, "old": _text, "new": _text, "mtime_ns": _int}],
    "undo": _or_null({"by": _text, "at": _like(_UTC, "time in UTC")}),
    "purge": _or_null({"by": _text, "at": _like(_UTC, "time in UTC"), "freed_bytes": _size}),
}


def _follow_rewind(manager: Any) -> None:  # noqa: ANN401 - TensorFlow has no types
    """Let a CheckpointManager that was made before the rewind forget what is set aside: it read the former state file,
    and its next save would list and rotate what is gone.
    """
    import tensorflow as tf

    fresh = tf.train.get_checkpoint_state(manager.directory)
    manager._latest_checkpoint = fresh.model_checkpoint_path if fresh else None  # noqa: SLF001
    listed = set(fresh.all_model_checkpoint_paths) if fresh else set()
    for name in [name for name in manager._maybe_delete if name not in listed]:  # noqa: SLF001
        del manager._maybe_delete[name]  # noqa: SLF001


# --- overrides, the guard, the start ------------------------------------------------------------------------------


_AT_ITS_MAKING = ("gradient_accumulation_steps", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor")


def _check_overrides(overrides: Mapping[str, Any], optimizer: Any) -> None:  # noqa: ANN401
    """ResumeError with every override that the job's optimizer cannot take."""
    wrong = []
    settings = optimizer.get_config() if optimizer is not None else {}
    for name, value in overrides.items():
        if optimizer is None:
            wrong.append(f"{name}: which optimizer is meant cannot be told; pass optimizer= to resume()")
        elif name not in settings or name == "name":
            wrong.append(f"{name}: {type(optimizer).__name__} has no such setting")
        elif name == "learning_rate":
            if _number(value) is not None or value < 0:
                wrong.append(f"learning_rate: {value!r} is no number from 0 on")
            elif not _is_variable(getattr(optimizer, "_learning_rate", None)):
                wrong.append("learning_rate: the optimizer follows a schedule, which cannot be assigned to")
        elif isinstance(value, bool) or isinstance(settings[name], bool) or name in _AT_ITS_MAKING:
            wrong.append(f"{name}: only the job can change it, where it makes its {type(optimizer).__name__}")
        elif name == "momentum" and bool(value) != bool(settings[name]):
            wrong.append("momentum: only the job can turn it on or off, for slots come and go with it")
        elif type(value) not in (int, float) or type(settings[name]) not in (int, float, type(None)):
            wrong.append(f"{name}: {value!r} is not of the kind of {settings[name]!r}")
        elif value < 0 or (name.startswith(("clip", "global_clip")) and value == 0):
            wrong.append(f"{name}: {value!r} is too small")
    if wrong:
        head = "The manifest's overrides cannot be applied; nothing was loaded. Hand the checkpoint over with others:"
        raise ResumeError("\n  ".join([head, *wrong]))


_ELSEWHERE = (
    "No checkpoint holds the state of random generators (so Dropout and shuffling go another way), how far the data "
    "were read (unless the job saved its iterator), or what callbacks remember."
)


class Start:
    """Where the job goes on. `source` is the checkpoint's path relative to the run, None for a fresh start."""

    def __init__(self, decision: Decision, live: _Live, steps_per_epoch: int | None) -> None:
        self._decision, self._live, self._steps_per_epoch = decision, live, steps_per_epoch
        self._epoch: int | None = None
        self._mark = 0
        self._guard: Any = None
        self.source: str | None = None
        self.step: int | None = 0
        self.overrides: dict[str, Any] = {}
        self.best: dict[str, Any] | None = None
        self.warnings: list[str] = []

    @property
    def epoch(self) -> int:
        """How many epochs are done, for `fit(initial_epoch=...)`; ResumeError where neither record nor steps tell."""
        if self.source is None:
            return 0
        if self._epoch is not None:
            return self._epoch
        if self.step is not None and self._steps_per_epoch:
            return self.step // self._steps_per_epoch
        needs = "steps_per_epoch=" if self.step is not None else "its own count: the step is not known either"
        raise ResumeError(f"The epoch of {self.source} is not recorded: give resume() {needs}.")

    @property
    def batch(self) -> int | None:
        """How many batches of the running epoch are done; None where that is not known."""
        if self.source is None or self.step is None or not self._steps_per_epoch:
            return 0 if self.source is None else None
        return self.step % self._steps_per_epoch

    @property
    def guard(self) -> Any:  # noqa: ANN401 - a callback of whichever Keras the model is made of
        """A callback, to be the last: it stops fit() if something else restored over what was loaded here."""
        if self._guard is None:
            self._guard = _guard(self)
        return self._guard

    def finish(self) -> None:
        """Say that the job has done what the manifest asked for; it governs no later start."""
        self._decision.note(finished_at=_moment(_disk_now(self._decision.home / HIDDEN)))

    def check(self) -> None:
        """ResumeError if what was loaded is not what the variables hold: call it before the first step of a loop."""
        if self.source is not None and self._mark != _mark(self._live):
            reason = (
                f"Something restored over {self.source} after resume() loaded it. BackupAndRestore does so at the "
                "start of fit(), and so does a restore of manager.latest_checkpoint: take it out of this job, or hand "
                "the checkpoint over as a rewind, which sets BackupAndRestore's data aside."
            )
            self._decision.note(error=reason, error_at=_moment(time.time()))
            raise ResumeError(reason)

    def _remember(self) -> None:
        self._mark = _mark(self._live)


def _mark(live: _Live) -> int:
    """A checksum over weights and optimizer state."""
    mark = 0
    for item in (*live.models, *live.optimizers):
        own: Any = getattr(item, "weights", None) or item.variables
        for variable in own() if callable(own) else own:
            mark = zlib.crc32(variable.numpy().tobytes(), mark)
    return mark


def _guard(start: Start) -> Any:  # noqa: ANN401
    package = next((name for model in start._live.models if (name := _package(model))), None)  # noqa: SLF001
    if package is None:
        raise ResumeError("start.guard is a Keras callback, and this job has no Keras model: call start.check().")
    base = importlib.import_module(f"{package}.callbacks").Callback

    class Guard(base):  # type: ignore[misc, valid-type]
        """Checks at the first batch of the first fit(), and says at its end that the job has finished."""

        has_checked = False

        def on_train_batch_begin(self, _batch: int, logs: object = None) -> None:
            del logs
            if not self.has_checked:
                self.has_checked = True
                start.check()

        def on_train_end(self, logs: object = None) -> None:
            del logs
            start.finish()

    return Guard()


# --- several workers ----------------------------------------------------------------------------------------------


def _worker_places(decision: Decision) -> tuple[Path, str]:
    folder = decision.home / HIDDEN / "workers"
    name = hashlib.blake2b(os.fsencode(decision.job), digest_size=8).hexdigest()
    return folder, name


def _publish(decision: Decision, said: Mapping[str, object]) -> None:
    """Tell the other workers what the chief decided. Each asks with an id of its own, so that none takes the answer
    of an earlier start for this one's; a daemon thread answers those that come later.
    """
    folder, name = _worker_places(decision)
    answered: set[str] = set()

    def answer() -> None:
        asked = {str((_record(path) or {}).get("id")) for path in folder.glob(f"{name}-*.ask")} - answered
        if asked:
            answered.update(asked)
            _write(folder / f"{name}.json", {**said, "answers": sorted(answered)})

    def keep_answering() -> None:
        until = time.monotonic() + WORKERS_WAIT
        while time.monotonic() < until:
            with contextlib.suppress(OSError):  # a disk that is away for a moment
                answer()
            time.sleep(_POLL)

    if _cluster()[3] > 1 or folder.is_dir():
        answer()
        threading.Thread(target=keep_answering, name="waypoint-chief", daemon=True).start()


def _ask(decision: Decision) -> dict[str, Any]:
    """Wait for the chief's decision about this start. ResumeError if none comes, or with the chief's own."""
    folder, name = _worker_places(decision)
    kind, index = _cluster()[1:3]
    own, question = uuid.uuid4().hex, folder / f"{name}-{kind}-{index}-{socket.gethostname()}-{os.getpid()}.ask"
    folder.mkdir(parents=True, exist_ok=True)
    _write(question, {"id": own, "host": socket.gethostname(), "pid": os.getpid()})
    until = time.monotonic() + WORKERS_WAIT
    try:
        while time.monotonic() < until:
            said = _record(folder / f"{name}.json") or {}
            if own in said.get("answers", ()):
                if "error" in said:
                    raise ResumeError(f"The chief could not resume: {said['error']}")
                return said
            time.sleep(_POLL)
    finally:
        _unlink(question)
    raise ResumeError(
        f"The chief of job {decision.job} decided nothing about {decision.run} in {WORKERS_WAIT:.0f} s. Every worker "
        "needs the same WAYPOINT_JOB (or SLURM_JOB_ID, or TF_CONFIG), and the chief must call resume() too."
    )


def resume(
    run_dir: str | os.PathLike[str],
    *,
    model: Any = None,  # noqa: ANN401
    checkpoint: Any = None,  # noqa: ANN401
    manager: Any = None,  # noqa: ANN401
    optimizer: Any = None,  # noqa: ANN401
    steps_per_epoch: int | None = None,
    take_over: bool = False,
    chief: bool | None = None,
) -> Start:
    """Restore what the run's manifest names, else its newest checkpoint that fits; else say that the start is fresh.

    Pass a built (for fit: compiled) Keras model, or the tf.train.Checkpoint or CheckpointManager that saves, or both.
    Of several workers the chief (by TF_CONFIG, or as `chief` says) decides, and the others restore what it chose.
    RunIsBusy while another job lives; MismatchError with every difference; ResumeError. Then nothing was changed.
    """
    if _LOG.level == logging.NOTSET:
        _LOG.setLevel(logging.INFO)
        if not _LOG.hasHandlers():
            _LOG.addHandler(logging.StreamHandler())
    decision = _undecided(run_dir)
    is_chief = _is_chief() if chief is None else chief
    try:
        decision = decide(run_dir, take_over=take_over) if is_chief else decision
        start = _start(decision, _Live(model, checkpoint, manager, optimizer), optimizer, steps_per_epoch)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the reason matters more than that it was noted
            decision.note(error=str(error) or type(error).__name__, error_at=_moment(time.time()))
        if is_chief and not decision.was_told:
            _publish(decision, {"error": str(error)})
        if decision.lease is not None:
            decision.lease.release()
        raise
    for warning in start.warnings:
        _LOG.warning("%s", warning)
    return start


def _start(decision: Decision, live: _Live, optimizer: Any, steps_per_epoch: int | None) -> Start:  # noqa: ANN401
    is_chief = decision.lease is not None
    said = {} if is_chief else _ask(decision)
    decision.manifest = decision.manifest if is_chief else said["manifest"]
    start, manifest = Start(decision, live, steps_per_epoch), decision.manifest
    if manifest is not None:
        start.overrides, start.best = dict(manifest["overrides"]), manifest["restore"]["best_metric"]
        _check_overrides(start.overrides, optimizer if optimizer is not None else live.only_optimizer())
    chosen = _choose(decision, live, start.warnings) if is_chief else _told(decision, said, live)
    if is_chief and (moved := decision.set_aside()):
        names = ", ".join(moved)
        start.warnings.append(f"Set aside in {HIDDEN}/{_REWOUND}, from where Waypoint's undo brings it back: {names}.")
        if live.manager is not None:
            _follow_rewind(live.manager)
    if is_chief:
        picked = {"checkpoint": chosen[0].path, "format": chosen[0].format} if chosen else {"checkpoint": None}
        _publish(decision, {**picked, "manifest": manifest})
        decision.was_told = True
    if chosen is None:
        latest = live.manager.latest_checkpoint if live.manager is not None else None
        if latest is not None and os.path.exists(f"{latest}.index"):
            raise ResumeError(
                f"The manager's latest checkpoint is {latest}, and nothing was found to restore: a fresh start would "
                f"save over it. Is {decision.run} the run that holds it? {' '.join(start.warnings)}"
            )
        _LOG.info("%s: no manifest and no checkpoint, a fresh start.", decision.run)
        return start
    found, plan = chosen
    decision.note(checkpoint=found.path, error=None, error_at=None)
    _load(found.path, plan, live)
    is_picked = manifest is not None and found.path == _from_text(manifest["checkpoint"]["path"])
    for name, value in start.overrides.items() if is_picked else ():  # what was saved since has them, or newer ones
        setattr(optimizer if optimizer is not None else live.only_optimizer(), name, value)
    record = manifest["restore"] if manifest is not None and is_picked else {}
    start.source = found.path
    start.step = record.get("initial_step") if plan.step is None else plan.step
    start._epoch = record["initial_epoch"] if record else _recorded_epoch(decision.run, found.path)  # noqa: SLF001
    if live.optimizers and not plan.has_optimizer:
        start.warnings.append(_RESTARTS)
    start.warnings += [*plan.notes, *_cautions(start, live, decision.run), _ELSEWHERE]
    start._remember()  # noqa: SLF001
    why = "no manifest, the newest that fits"
    if manifest is not None:
        why = f"the manifest {manifest['id']}" if is_picked else f"saved since it claimed the manifest {manifest['id']}"
    _LOG.info("Restored %s, step %s (%s).", found.path, start.step, why)
    return start


def _told(decision: Decision, said: Mapping[str, Any], live: _Live) -> tuple[_Found, _Plan] | None:
    """What the chief chose, matched with this worker's own objects."""
    if said["checkpoint"] is None:
        return None
    plan = _plan(decision.run / said["checkpoint"], said["format"], live)
    if plan.differences:
        raise MismatchError(said["checkpoint"], plan.differences)
    return _Found(said["checkpoint"], said["format"], 0.0), plan


def _load(name: str, plan: _Plan, live: _Live) -> None:
    """Load, and see that every variable has the value of the file; else everything is put back."""
    former = [(variable, variable.numpy()) for variable in live.variables()]
    try:
        plan.load()
        wrong = plan.check()
    except Exception as error:
        _put_back(former)
        raise ResumeError(f"{name} could not be loaded, the former values were put back: {error}") from error
    if wrong:
        _put_back(former)
        raise ResumeError(f"{name} was not restored exactly, the former values were put back: {', '.join(wrong)}")


def _put_back(former: Sequence[tuple[Any, Any]]) -> None:
    for variable, value in former:
        variable.assign(value)


def _cautions(start: Start, live: _Live, run: Path) -> Iterator[str]:
    epoch, steps = start._epoch, start._steps_per_epoch  # noqa: SLF001
    if epoch is not None and start.step is not None and steps and start.step // steps != epoch:
        yield (
            f"{start.source}: {epoch} epochs are done by its record, and {start.step // steps} by its step "
            f"({start.step} ÷ {steps}): start.epoch follows the record."
        )
    if start.batch:
        yield (
            f"{start.source} was saved in mid-epoch, after {start.batch} batches: fit(initial_epoch={start.epoch}) "
            "begins that epoch again at batch 0."
        )
    latest = live.manager.latest_checkpoint if live.manager is not None else None
    if latest is not None and os.path.realpath(latest) != os.path.realpath(run / str(start.source)):
        yield (
            f"manager.latest_checkpoint is {latest}, not {start.source}: this job must not restore from it, and the "
            "manager's next save goes on from its own numbers."
        )
