"""Jobs that claim, for the tests that start many of them.

`client_race.py claim FOLDER ID ROUNDS` claims the manifest in `FOLDER/home-N`, round by round, each beginning when
`FOLDER/start-N` is there; `client_race.py decide RUN - START` starts a job when START is there, which lives until
its stdin is closed. Prints a line for each answer, and last which heavy packages were imported.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from waypoint_resume import RunIsBusy
from waypoint_resume.claim import claim
from waypoint_resume.decision import decide


def wait_for(start: Path) -> None:
    """Return as soon as a file is there."""
    while not start.exists():
        time.sleep(0.0005)


def claims(folder: Path, manifest_id: str, rounds: int) -> Iterator[str]:
    """Claim once in each round."""
    for number in range(rounds):
        wait_for(folder / f"start-{number}")
        yield "won" if claim(folder / f"home-{number}", manifest_id, "a", "ckpt-7") else "lost"


def decides(run: Path, start: Path) -> Iterator[str]:
    """Decide about a run as a job does."""
    wait_for(start)
    try:
        decision = decide(run)
    except RunIsBusy:
        yield "busy"
    else:
        yield "won" if decision.claim else "free"
        sys.stdin.read()


def main() -> None:
    """Say that it is ready, and then each answer."""
    kind, folder, manifest_id, last = sys.argv[1:5]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    answers = claims(Path(folder), manifest_id, int(last)) if kind == "claim" else decides(Path(folder), Path(last))
    for answer in answers:
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    heavy = [name for name in ("tensorflow", "keras", "h5py", "pydantic") if name in sys.modules]
    sys.stdout.write(f"{heavy}\n")


if __name__ == "__main__":
    main()
