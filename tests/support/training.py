"""Real trainings that a test starts, watches and kills, and what TensorFlow says of what they leave."""

import json
import os
import queue
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.base.records import Checkpoint, Finding, Severity
from core.catalog.filters import FindingFilter
from core.catalog.known_folders import load_folders
from core.services.workspace import Workspace
from tests.support.jobs import Job, job_server

_PATIENCE_S = 120.0


class Trainings:
    """Jobs of write_training.py or a program like it, one at a time; Keras and TensorFlow are imported once for all."""

    def __init__(self, name: str = "write_training.py") -> None:
        self._program = Path(__file__).with_name(name)
        self._process: Job | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self.job = 0
        self.saves = 0
        self.refused: list[str] = []
        self.loaded: set[str] = set()

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._lines.put(line)
        self._lines.put("ended")

    def _next(self) -> tuple[str, str]:
        word, _, rest = self._lines.get(timeout=_PATIENCE_S).strip().partition(" ")
        if word == "saved":
            self.saves = int(rest)
        elif word == "refused":
            self.refused.append(rest)
        elif word == "loaded":
            self.loaded.add(rest)
        return word, rest

    def start(self, job: str, folder: Path, **arguments: object) -> None:
        """Start a job that saves into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.saves, self.refused, self.loaded = 0, [], set()
        asked = json.dumps({"job": job, "folder": str(folder), **arguments})
        self._process = job_server("keras").start(self._program, asked)
        self.job = self._process.pid
        assert self._process.stdout is not None
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    def wait_for(self, saves: int) -> None:
        """Until so many saves are done."""
        while self.saves < saves:
            assert self._next()[0] != "ended"

    def kill(self) -> int:
        """SIGKILL. The number of saves that were done for sure; one more may have been."""
        os.kill(self.job, signal.SIGKILL)
        assert self.end() == str(-signal.SIGKILL)
        return self.saves

    def stop(self) -> None:
        """Kill the job that a failed test left, if there is one."""
        if self.job:
            self.kill()

    def run(self, job: str, folder: Path, **arguments: object) -> int:
        """A job to its end; its number of saves."""
        self.start(job, folder, **arguments)
        assert self.end() == "0"
        return self.saves

    def end(self) -> str:
        """Until the job ends; its status, negative for a signal."""
        while self._next()[0] != "ended":
            pass
        assert self._process is not None
        status = self._process.wait()
        self._process.close_pipes()
        self.job, self._process = 0, None
        return str(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one pass found below a root: checkpoints by path, findings above info, and every file that it knows."""

    items: dict[str, Checkpoint]
    findings: tuple[Finding, ...]
    files: frozenset[str]

    @property
    def rules(self) -> list[tuple[str, str]]:
        """Path and rule of each finding above info."""
        return sorted((item.path, item.rule) for item in self.findings)

    @property
    def restorable(self) -> list[Checkpoint]:
        """By step."""
        found = [item for item in self.items.values() if item.restorable]
        return sorted(found, key=lambda item: item.facts.step.value if item.facts.step else 0)


def look(workspace: Workspace) -> Seen:
    """One pass over the only root; nothing may go wrong in it."""
    report = workspace.refresh()
    assert [root.problem for root in report.roots] == [None]
    assert report.problems == ()
    (root,) = report.roots
    with workspace.engine.connect() as connection:
        folders = load_folders(connection, root.id).values()
    items = {item.path: item for run in workspace.runs() for item in workspace.members(root.id, run.path)}
    parts = [(item.folder, file.name) for item in items.values() for file in item.files]
    parts += [(folder.path, file.name) for folder in folders for left in folder.leftovers for file in left.files]
    states = {state.path for folder in folders for state in folder.states}
    findings = [found.finding for found in workspace.reader.findings(FindingFilter(), limit=None)]
    return Seen(
        items=items,
        findings=tuple(item for item in findings if item.severity is not Severity.INFO),
        files=frozenset(f"{folder}/{name}".lstrip("/") for folder, name in parts) | states,
    )


def why_not(prefix: Path) -> str | None:
    """Why TensorFlow cannot read every value of a bundle; None where it can."""
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        return str(error)
    return None


def agree(root: Path, seen: Seen) -> None:
    """TensorFlow reads what is called restorable, fails on all else, and every file on disk is known."""
    assert {path: why_not(root / path) is None for path in seen.items} == {
        path: item.restorable for path, item in seen.items.items()
    }
    assert {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} == seen.files
