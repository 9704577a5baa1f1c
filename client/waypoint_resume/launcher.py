"""`python -m waypoint_resume run`: a training script that knows nothing of Waypoint, with its `fit()` wrapped."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.errors import ResumeError
from waypoint_resume.handed_over import find_handed

IGNORED = "WAYPOINT_IGNORE_MANIFEST"  # for the child: it may restore and save although a manifest waits
INJECTED = "WAYPOINT_FIT"  # the folder with which PYTHONPATH begins, for the child to know and to take away
_HELP = """\
Run a command in which Keras' model.fit() resumes by itself, as with the callback Waypoint(RUN):

    python -m waypoint_resume run --run RUN -- python train.py --epochs 90

The command keeps its arguments, its exit code and its signals, for it takes this process' place. It may start Python by
a script (bash train.sh, srun python -m package); Python's own -I, -E and -S shut the wrapping out. Without --run the
run is WAYPOINT_RUN, else the folder of the ModelCheckpoint, BackupAndRestore or OrbaxCheckpoint that fit() is given.
The first fit() of a process is resumed; one of another model is left alone, and so is a fit() whose callbacks have a
Waypoint or a start.guard already. Loops of one's own need resume(): see docs/resume.md. One that restores or saves with
tf.train.Checkpoint in a run to which a checkpoint was handed over is refused.
"""


def add_run(commands: Any) -> None:  # noqa: ANN401 - argparse names no public type for it
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "run",
        help="run a training command with model.fit() resuming by itself",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", metavar="RUN", help="the run's folder")
    parser.add_argument(
        "--ignore-manifest",
        action="store_true",
        help="let a loop of the command's own restore and save although a checkpoint was handed over",
    )
    parser.add_argument("command", metavar="CMD", nargs=argparse.REMAINDER, help="-- and the command")
    parser.set_defaults(act=_act)


def _act(given: argparse.Namespace) -> int:
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    problem = _problem(command)
    if problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    if note := _handed_over(given.run or os.environ.get("WAYPOINT_RUN")):
        sys.stderr.write(f"{note}\n")
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, _environment(given))  # noqa: S606 - what was asked for
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126


def _environment(given: argparse.Namespace) -> dict[str, str]:
    found = environment_for(given.run, os.environ)
    return {**found, IGNORED: "1"} if given.ignore_manifest else found


def _handed_over(run: str | None) -> str | None:
    """What is said before the command starts where a manifest waits for it."""
    if not run or not os.path.isdir(run):
        return None
    try:
        handed = find_handed(Path(os.path.realpath(run)))
    except (OSError, ResumeError):
        return None  # fit() will say it
    if handed is None:
        return None
    path = handed.manifest["checkpoint"]["path"]
    return (
        f"{path} was handed over to {run}. fit() goes on from it; a loop of the script's own does not, and is "
        "refused when it restores or saves there (--ignore-manifest lets it): such a script needs resume()."
    )


def _problem(command: Sequence[str]) -> str | None:
    if not command:
        return "Which command? python -m waypoint_resume run [--run RUN] -- python train.py"
    flags = itertools.takewhile(lambda item: item.startswith("-") and item not in ("-m", "-c"), command[1:])
    shut = next((item for item in flags if not item.startswith("--") and set("IES") & set(item)), None)
    if shut and Path(command[0]).name.startswith("python"):
        return f"Python's {shut} keeps everything out of its start: leave it out, or put Waypoint(RUN) into fit()."
    return None


def environment_for(run: str | None, environment: Any) -> dict[str, str]:  # noqa: ANN401 - os.environ or a dict
    """The environment of the command: PYTHONPATH begins with the folder that wraps fit(), WAYPOINT_RUN is the run."""
    folder = str(Path(__file__).resolve().with_name("inject"))
    found = {**environment, INJECTED: folder}
    found["PYTHONPATH"] = os.pathsep.join(item for item in (folder, environment.get("PYTHONPATH")) if item)
    if run is not None:
        found["WAYPOINT_RUN"] = os.path.abspath(run)
    return found


def leave_children_alone() -> None:
    """Once this process has its training: what it starts from here on is not wrapped."""
    folder = os.environ.pop(INJECTED, None)
    rest = [item for item in os.environ.get("PYTHONPATH", "").split(os.pathsep) if item and item != folder]
    if rest:
        os.environ["PYTHONPATH"] = os.pathsep.join(rest)
    elif folder is not None:
        os.environ.pop("PYTHONPATH", None)
