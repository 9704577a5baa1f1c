"""`python -m tests.compat [PYTHON]` (make compat): the job's side on each Python and framework that it is for.

For each line of environments.py a virtual environment is made in .cache/compat, and in it tests/support/train_job.py
trains with the client's wheel on its path: in one go; killed in its fourth epoch; then, for each form of checkpoint, on
from the newest checkpoint, from the one before by a manifest (a rewind), and by the callback Waypoint. Then comes
tests/client/exact_job.py: Dropout and callbacks that remember. Losses, weights and optimizer state must be those of
the training in one go, bit for bit. A Python that is missing is told and skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from core.resume.client_wheel import client_wheel, wheel_name
from core.resume.manifest import Mode
from tests.client.test_client_training import JOB, KILLED_IN, STEPS, hand_over, opened, result
from tests.compat.environments import ENVIRONMENTS, Environment
from tests.compat.pythons import find_python

CACHE = Path(__file__).parents[2] / ".cache" / "compat"
STAMP = "packages.txt"
EXACT_JOB = JOB.parents[1] / "client" / "exact_job.py"
SECONDS = 900  # that one training may take
WAYS = ("newest", "rewind", "waypoint")


def prepared(environment: Environment, base: str) -> str:
    """The Python of an environment, which is made anew where what it must hold was changed or is not there."""
    folder = CACHE / environment.name
    wanted = "\n".join(environment.packages)
    if not (folder / STAMP).is_file() or (folder / STAMP).read_text() != wanted:
        say(f"{environment.name}: installing {', '.join(environment.packages)}")
        subprocess.run([base, "-m", "venv", "--clear", str(folder)], check=True)
        command = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet", *environment.packages]
        subprocess.run([str(folder / "bin" / "python"), *command], check=True)
        (folder / STAMP).write_text(wanted)
    return str(folder / "bin" / "python")


def train(python: str, environment: Environment, wheel: Path, *arguments: object, job: Path = JOB) -> int:
    """Run a training job; its exit code."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAYPOINT_", "PYTHON"))}
    clean |= {"PYTHONPATH": str(wheel), "KERAS_BACKEND": environment.backend}
    command = [python, str(job), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=clean, timeout=SECONDS, check=False, cwd="/")
    if done.returncode not in (0, -signal.SIGKILL):
        say(done.stderr[-2000:])
    return done.returncode


def faults(python: str, environment: Environment, framework: str, folder: Path, wheel: Path) -> Iterator[str]:
    """Every way in which a framework's trainings do not end where an unbroken one does."""
    for name in ("whole", "runs"):
        (folder / name).mkdir(parents=True)
    if train(python, environment, wheel, framework, folder / "whole", "-"):
        yield "the training in one go failed"
        return
    code = train(python, environment, wheel, framework, folder / "runs", "-", "--kill", KILLED_IN)
    saved = {path.name for path in (folder / "runs").iterdir()}
    if code != -signal.SIGKILL or saved != set(environment.forms[framework]):
        yield f"the training that was to be killed ended with {code} and left {', '.join(sorted(saved))}"
        return
    for way in WAYS[: 1 if framework == "module" else None]:
        yield from (f"{way}: {fault}" for fault in faults_of(python, environment, framework, folder, wheel, way))
    if framework != "module":
        yield from exact_faults(python, environment, framework, folder, wheel)


def faults_of(
    python: str, environment: Environment, framework: str, folder: Path, wheel: Path, way: str
) -> Iterator[str]:
    """The same for one way of going on."""
    place = folder / way
    shutil.copytree(folder / "runs", place / "runs")
    # Saved within an epoch: only Waypoint and the guard tell where that was, and no number is that of an epoch.
    forms = [form for form in environment.forms[framework] if form != "steps" or way != "rewind"]
    if way == "rewind":
        workspace = opened(place)
        for form in forms:
            hand_over(workspace, form, Mode.REWIND)
        workspace.close()
    more = ["--waypoint"] if way == "waypoint" else []
    if train(python, environment, wheel, framework, place / "runs", *forms, *more):
        yield "the training that goes on failed"
    whole = result(folder / "whole", "-")
    for form in forms:
        if not (place / "runs" / f"result-{form}.json").exists():
            yield f"{form}: not trained to its end"
            continue
        again = result(place / "runs", form)
        step = 10 if form == "steps" else (KILLED_IN - (way == "rewind")) * STEPS
        if again["step"] != step:
            yield f"{form}: went on from step {again['step']} instead of {step}"
        compared = -(-step // STEPS) * STEPS  # the loss within an epoch is a mean since its beginning
        if again["losses"][compared - step :] != whole["losses"][compared:]:
            yield f"{form}: other losses"
        if again["values"] != whole["values"]:
            yield f"{form}: other weights or optimizer state"


def exact_faults(python: str, environment: Environment, framework: str, folder: Path, wheel: Path) -> Iterator[str]:
    """The same for trainings with Dropout and callbacks that remember, which need what was kept beside the saves."""
    (folder / "exact").mkdir()
    kind = "jax" if environment.backend == "jax" else framework
    if train(python, environment, wheel, kind, folder / "exact", job=EXACT_JOB):
        yield "exact: the trainings failed"
        return
    found = json.loads((folder / "exact" / "results.json").read_text())
    for name in (name for name in found if not name.startswith("whole-")):
        whole = found[f"whole-{name.rpartition('-')[2]}"]
        yield from (f"{name}: another end: {part}" for part in whole if found[name][part] != whole[part])
        yield from (f"{name}: not kept: {told}" for item in found[name]["receipts"][1:] for told in item["not_kept"])


def main(only: str = "") -> int:
    """Try every environment, or those of one Python; the exit code is 1 if anything differs."""
    failed = passed = skipped = 0
    with tempfile.TemporaryDirectory(prefix="waypoint-compat-") as scratch:
        wheel = Path(scratch, wheel_name())
        wheel.write_bytes(client_wheel())
        for environment in (item for item in ENVIRONMENTS if only in ("", item.python)):
            base = find_python(environment.python)
            if base is None:
                skipped += 1
                say(f"{environment.name}: skipped, this machine has no Python {environment.python}")
                continue
            python = prepared(environment, base)
            for framework in environment.forms:
                began = time.monotonic()
                place = Path(scratch, environment.name, framework)
                found = list(faults(python, environment, framework, place, wheel))
                failed, passed = failed + bool(found), passed + (not found)
                told = "; ".join(found) or "bit for bit: " + ", ".join(environment.forms[framework])
                say(f"{environment.name}, {framework} ({time.monotonic() - began:.0f} s): {told}")
    say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
