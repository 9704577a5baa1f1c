"""Run the fuzzer: every target in turn, each in a process of its own, or those that are named.

`python -m fuzz [TARGET …] [--seconds N]`. An input that a target does not survive is kept under fuzz/crashes; feed it
again with `python -m fuzz TARGET --input FILE`.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CRASHES = HERE / "crashes"
OPTIONS = ("-timeout=10", "-rss_limit_mb=1024", "-max_len=16384", "-print_final_stats=1", "-verbosity=0")


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which atheris ends."""
    import atheris

    with atheris.instrument_imports(include=["core.formats", "core.metrics"]):
        from fuzz import targets

    CRASHES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="waypoint-fuzz-") as corpus:
        for number, seed in enumerate(targets.TARGETS[name].seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        prefix = f"-artifact_prefix={CRASHES}/{name}-"
        arguments = [sys.argv[0], *OPTIONS, prefix, f"-max_total_time={seconds}", corpus]
        atheris.Setup(arguments, lambda data: targets.run(name, data))
        atheris.Fuzz()


def main() -> int:
    """The number of targets that did not survive."""
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--input", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.here:
        fuzz(asked.targets[0], asked.seconds)
        return 0
    from fuzz.targets import TARGETS, run

    unknown = [name for name in asked.targets if name not in TARGETS]
    if unknown or (asked.input and len(asked.targets) != 1):
        parser.error(f"targets are {', '.join(TARGETS)}")
    if asked.input:
        run(asked.targets[0], asked.input.read_bytes())
        return 0
    failed = []
    for name in asked.targets or TARGETS:
        print(f"{name}: {asked.seconds} s", flush=True)
        command = [sys.executable, "-m", "fuzz", name, "--here", "--seconds", str(asked.seconds)]
        if subprocess.run(command, check=False, cwd=HERE.parent).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "every target survived")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
