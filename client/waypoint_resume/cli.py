"""`python -m waypoint_resume COMMAND`: what a shell or a scheduler's script wants of a run. Imports no framework."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from waypoint_resume.job_environment import job_environment
from waypoint_resume.launcher import add_run
from waypoint_resume.places import decision_homes
from waypoint_resume.version import __version__

_ENV_HELP = """\
Print what a job of RUN would be told, as lines for a shell:

    eval "$(python -m waypoint_resume env RUN)"

sets RESUME_STATE (pending: a checkpoint was handed over; claimed: a job took it and has not finished; none;
unreadable, with exit code 1), RESUME_RUN, RESUME_MANIFEST, RESUME_MODE, RESUME_CHECKPOINT (absolute), RESUME_FORMAT,
RESUME_API, RESUME_STEP, RESUME_EPOCH, RESUME_JOB (who claimed it) and RESUME_WEIGHTS_ONLY (1: the weights alone are
handed over), empty where not known. Nothing is claimed.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 where it failed, 2 for wrong use."""
    parser = argparse.ArgumentParser(
        prog="python -m waypoint_resume", description="The job's side of Waypoint, for shells and schedulers."
    )
    parser.add_argument("--version", action="version", version=f"waypoint_resume {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_env(commands)
    add_run(commands)
    given = parser.parse_args(arguments)
    return int(given.act(given))


def _add_env(commands: Any) -> None:  # noqa: ANN401 - argparse names no public type for it
    parser = commands.add_parser(
        "env",
        help="print what a job of a run would be told, as lines for a shell",
        description=_ENV_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", metavar="RUN", help="the run's folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead; null where not known")
    parser.set_defaults(act=_env)


def _env(given: argparse.Namespace) -> int:
    run = Path(os.path.realpath(given.run))
    if not run.is_dir():
        sys.stderr.write(f"{given.run!r} is no folder: nothing was handed over there.\n")
    told = job_environment(run, decision_homes(run))
    if told.problem is not None:
        sys.stderr.write(f"{told.problem}\n")
    if given.json:
        sys.stdout.write(json.dumps(told.as_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.buffer.write(told.export_lines())
    return 0 if told.problem is None else 1
