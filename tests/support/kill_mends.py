"""Kills a mend, and then its undoing, before each line that may write in turn; for test_mend_apply.

A forked child traces itself and sends itself SIGKILL. After each kill the state file must be the old one or the new
one, and undoing must lead back to the old one. Prints how often each was found, as JSON.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from core.base.errors import CoreError
from core.mend.errors import StateChangedError
from core.mend.of_run import Mender
from core.mend.propose import MendProposal
from core.mend.records import MendState
from tests.support.mend_cases import STATE, a_mender
from tests.support.resume_cases import NOW
from waypoint_resume import atomic, lock

CORE = Path(__file__).parents[2] / "core"
TRACED = {str(CORE / name) for name in ("mend/apply.py", "mend/records.py", "runfolder/places.py")}
TRACED |= {str(module.__file__) for module in (atomic, lock)}
SKIPPED = {"history", "_mends", "_state", "kept", "digest"}  # they only read


def killed_at(line: int, act: Callable[[], object]) -> bool:
    """Run something in a child that dies before its nth line of what writes; False where it ends before."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _: Any) -> Any:  # noqa: ANN401 - as sys.settrace wants it
            nonlocal left
            if frame.f_code.co_filename not in TRACED or frame.f_code.co_name in SKIPPED:
                return None
            left -= event == "line"
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        try:
            sys.settrace(trace)
            act()
        except CoreError:
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def found(root: Path) -> bytes | None:
    state = root / STATE
    return state.read_bytes() if state.exists() else None


def taken_back(mender: Mender, root: Path, old: bytes | None) -> None:
    """Undo all that is in effect; what was there before must be there."""
    for mend in mender.history():
        if mend.state is MendState.IN_EFFECT:
            mender.undo(mend.record.id, actor="ada", now=NOW)
        try:
            mender.undo(mend.record.id, actor="ada", now=NOW)
        except StateChangedError:
            pass
        else:
            raise AssertionError(mend)
    assert found(root) == old, found(root)


def main() -> None:
    """Arguments: an empty folder, and the old state file's text ('' for none)."""
    base, old = Path(sys.argv[1]), sys.argv[2].encode() or None
    root = base / "root"
    mender = a_mender(root, 1, 2)
    if old is not None:
        (root / STATE).write_bytes(old)
    proposal = mender.point_at(mender.members[0])
    assert isinstance(proposal, MendProposal)
    shutil.copytree(root, base / "fresh")
    os.fsync = lambda _: None  # type: ignore[assignment]  # what a killed process wrote is not lost; this is for speed
    counts = {"apply": {"old": 0, "new": 0}, "undo": {"old": 0, "new": 0}}
    for name, count in counts.items():
        line = 1
        while True:
            shutil.rmtree(root)
            shutil.copytree(base / "fresh", root)

            def act(name: str = name) -> object:
                if name == "apply":
                    return mender.apply(proposal, actor="ada", now=NOW)
                return mender.undo(mender.newest().record.id, actor="ada", now=NOW)

            if name == "undo":
                mender.apply(proposal, actor="ada", now=NOW)
            was_killed = killed_at(line, act)
            now = found(root)
            assert now in (old, proposal.new), now
            count["old" if now == old else "new"] += 1
            taken_back(mender, root, old)
            left = [item for item in os.listdir((root / STATE).parent) if item.endswith("tmp")]
            assert len(left) <= 1, left
            if not was_killed:
                break
            line += 1
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main()
