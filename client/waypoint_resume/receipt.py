"""What a start really restored: told in a few lines, and kept as `.waypoint/receipts/<time>-<uuid>.json`."""

from __future__ import annotations

import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from waypoint_resume.atomic import make_folder
from waypoint_resume.clock import moment_text
from waypoint_resume.files import names_in_folder, unlink_quietly, write_record
from waypoint_resume.log import LOG
from waypoint_resume.names import to_text
from waypoint_resume.places import HIDDEN
from waypoint_resume.version import __version__

RECEIPTS = "receipts"
MOST = 1_000  # receipts of a run; the oldest go
_WIDTH = 16  # letters of a line's head
WITHOUT_STATE = (
    "No state is kept beside {source}: random generators begin anew (so Dropout and shuffling go another way), "
    "callbacks remember nothing, and how far the data were read is known by its step alone. Waypoint in fit()'s "
    "callbacks, start.guard, or resume(manager=...) keep it from now on, beside what is saved while fit() or the loop "
    "runs; what a script saves by hand between two fit() has none."
)


@dataclass
class Receipt:
    """What one start restored. Lists hold names or sentences for people; None is what does not apply or is not known.

    `digest` is the identity of the checkpoint's content; `has_state` tells whether something was kept beside it.
    `epoch` epochs and `batch` batches of the next one are done; `why` says by what the checkpoint was chosen.
    `weights_only`: of the checkpoint the weights alone. `learning_rate_told` says which rate stands, where the script's
    is another one than the checkpoint's.
    """

    source: str
    format: str
    why: str
    manifest: str | None = None
    claim: str | None = None
    digest: str | None = None
    bytes: int | None = None
    files: int | None = None
    step: int | None = None
    epoch: int | None = None
    batch: int | None = None
    optimizer: str | None = None
    learning_rate: list[float] = field(default_factory=list)
    learning_rate_told: str | None = None
    weights_only: bool = False
    has_state: bool = False
    callbacks: list[str] = field(default_factory=list)
    random: list[str] = field(default_factory=list)
    data: str | None = None
    restarts: list[str] = field(default_factory=list)
    not_kept: list[str] = field(default_factory=list)
    job: str = ""
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    at: str = field(default_factory=lambda: moment_text(time.time()))
    uuid: str = field(default_factory=lambda: uuid.uuid4().hex)

    def lines(self) -> list[str]:
        """What is restored when `resume()` returns, a line each, aligned."""
        size = "" if self.bytes is None else f", {self.bytes:,} bytes in {self.files:,} file{'s' * (self.files != 1)}"
        rates = ", ".join(f"{rate:.6g}" for rate in self.learning_rate)
        told = {
            "checkpoint": f"{to_text(self.source)}, content {(self.digest or 'not read')[:12]}{size}",
            "position": ", ".join(self._position()),
            "optimizer": f"{self.optimizer or 'none'}{f', learning rate {rates}' if rates else ''}",
            "learning rate": self.learning_rate_told,
            "random state": self._random(),
        }
        return _aligned(told)

    def lines_of_fit(self, *, random: bool) -> list[str]:
        """What is restored when fit() begins; `random`: so were the random generators."""
        told = {
            "random state": self._random() if random else None,
            "callbacks": ", ".join(self.callbacks) or None,
            "data": self.data,
        }
        return _aligned(told) + _each("not kept", self.not_kept) + _each("restarts", self.restarts)

    def record(self) -> dict[str, Any]:
        """The receipt as JSON."""
        return {"version": 1, "client": __version__, **asdict(self), "source": to_text(self.source)}

    def save(self, home: Path) -> None:
        """Write it, or write it anew with what came since; a disk that refuses is told and stops nothing."""
        folder = home / HIDDEN / RECEIPTS
        try:
            make_folder(folder)
            write_record(folder / f"{self.at.replace(':', '')}-{self.uuid}.json", self.record())
            names = sorted(name for name in names_in_folder(folder) if name.endswith(".json"))
            for name in names[: max(len(names) - MOST, 0)]:
                unlink_quietly(folder / name)
        except OSError as error:
            LOG.warning("The receipt of this start could not be kept: %s", error)

    def _random(self) -> str | None:
        return ", ".join(self.random) or None

    def _position(self) -> list[str]:
        found = ["step not known" if self.step is None else f"step {self.step:,}"]
        if self.epoch is not None:
            found.append(f"{self.epoch:,} epoch{'s' * (self.epoch != 1)} done")
        if self.batch:
            found.append(f"{self.batch:,} batch{'es' * (self.batch != 1)} of the next one done")
        return found


def _aligned(told: dict[str, str | None]) -> list[str]:
    return [f"  {head:{_WIDTH}}{text}" for head, text in told.items() if text]


def _each(head: str, texts: list[str]) -> list[str]:
    return [f"  {'' if number else head:{_WIDTH}}{text}" for number, text in enumerate(texts)]
