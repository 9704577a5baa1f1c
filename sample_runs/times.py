"""Keep the times of the sample runs: git stores none, and a run's history is told by its files' times.

`python sample_runs/times.py apply [FOLDER]` gives the files and folders the times that the training gave them;
`python sample_runs/times.py record [FOLDER]` writes down those that they have now. FOLDER is sample_runs itself or a
copy of it. Standard library only, because it runs before anything is installed.

times.json maps each path (relative, POSIX) to [modified, size]: nanoseconds since 1970, and bytes or null for a folder.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = {".waypoint", "resume_manifest.json"}  # what trying the dashboard leaves in a run
NOT_RUNS = {"trainers", "__pycache__"}
Times = dict[str, tuple[int, int | None]]


def paths_of(folder: Path) -> Iterator[Path]:
    """Yield the run's folder itself and everything below it, except what begins with a dot (Waypoint's own notes)."""
    yield folder
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from paths_of(path)
        else:
            yield path


def load(folder: Path) -> Times:
    """Return what times.json says: the folder's own one, else the one beside this script."""
    own = folder / "times.json"
    text = (own if own.exists() else HERE / "times.json").read_text(encoding="utf-8")
    return {path: (modified, size) for path, (modified, size) in json.loads(text).items()}


def record(folder: Path, runs: Sequence[str] = ()) -> None:
    """Write the present times of the named runs (default: all) to times.json; entries of other runs stay."""
    present = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]
    present = [name for name in present if name not in NOT_RUNS]
    fresh = set(runs or present)
    target = folder / "times.json"
    old = load(folder) if runs and target.exists() else {}
    noted: Times = {path: entry for path, entry in old.items() if path.split("/")[0] in set(present) - fresh}
    for name in fresh:
        for path in paths_of(folder / name):
            facts = path.stat()
            noted[path.relative_to(folder).as_posix()] = (facts.st_mtime_ns, None if path.is_dir() else facts.st_size)
    lines = [f"{json.dumps(path)}: {json.dumps(noted[path])}" for path in sorted(noted)]
    temporary = target.with_name(".times.json.tmp")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    temporary.replace(target)


def apply(folder: Path) -> list[str]:
    """Set the recorded times, files first, then folders deepest first; return what was left alone, and why.

    A file whose size is not the recorded one was changed since, and a folder with other names in it too: their own
    times are true, so they keep them. Runs that are not in this folder at all are passed over.
    """
    noted = load(folder)
    here = {path: entry for path, entry in noted.items() if (folder / path.split("/")[0]).is_dir()}
    names: dict[str, set[str]] = {}
    for path in here:
        above, _, name = path.rpartition("/")
        names.setdefault(above, set()).add(name)
    left = []
    for path, (modified, size) in sorted(here.items(), key=lambda item: (item[1][1] is None, -item[0].count("/"))):
        target = folder / path
        if not target.exists():
            left.append(f"{path}: missing")
        elif size is not None and target.stat().st_size != size:
            left.append(f"{path}: changed since, {target.stat().st_size} bytes instead of {size}")
        elif size is None and {entry.name for entry in os.scandir(target)} - OURS != names.get(path, set()):
            left.append(f"{path}: files came or went since")
        elif target.stat().st_mtime_ns != modified:
            os.utime(target, ns=(modified, modified))
    return left


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line; what was left alone is said on stderr, and is no error."""
    parser = argparse.ArgumentParser(description="Apply or record the times of the sample runs.")
    parser.add_argument("action", choices=["apply", "record"])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="default: the folder of this script")
    options = parser.parse_args(arguments)
    if options.action == "record":
        record(options.folder)
    else:
        for line in apply(options.folder):
            print(f"times.py: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
