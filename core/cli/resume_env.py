"""`resume-env RUN`: what a job of this run would be told, for a shell or a scheduler's script; it claims nothing."""

import os
import shlex

import typer

from core.cli.session import FAILED, AsJson, Cached, Roots, RunName, leaving, opened, print_json, refreshed, say
from core.resume.history import UNFINISHED, ManifestEntry
from waypoint_resume.names import from_text, to_text


def resume_env_command(run: RunName, roots: Roots = None, as_json: AsJson = False, cached: Cached = False) -> None:
    """Print what a job of the run follows, as exports for `eval` in a shell: RESUME_STATE is pending, claimed or none.

    Nothing is claimed: that is the job's to do. It fails, and RESUME_STATE is unreadable, where the manifest cannot be
    read.
    """
    with leaving(), opened(roots) as workspace:
        code = refreshed(workspace, "resume-env", cached=cached)
        found = workspace.find_run(run)
        folder, _ = workspace.places(workspace.root(found.root), found.path)
        entries = workspace.manifests(found.root, found.path)
        problems = workspace.manifest_problems(found.root, found.path)
        entry = next((entry for entry in entries if entry.is_current and entry.state in UNFINISHED), None)
        values = _values(str(folder), None if problems else entry)
        if problems:  # no job starts from it, nor without it
            code = FAILED
            values["STATE"] = "unreadable"
        for problem in problems:
            say(f"{to_text(str(folder))}: {problem.path} cannot be read: {problem.problem}")
        if as_json:
            print_json({name.lower(): to_text(v) if isinstance(v, str) else v for name, v in values.items()})
        else:
            lines = [f"export RESUME_{name}={shlex.quote('' if v is None else str(v))}\n" for name, v in values.items()]
            typer.echo(os.fsencode("".join(lines)), nl=False)
        raise typer.Exit(code)


def _values(folder: str, entry: ManifestEntry | None) -> dict[str, str | int | None]:
    """Name and value of each variable; None for what is not known, and for all of them where nothing governs."""
    values: dict[str, str | int | None] = dict.fromkeys(
        ("RUN", "STATE", "MANIFEST", "MODE", "CHECKPOINT", "FORMAT", "API", "STEP", "EPOCH", "JOB")
    )
    values |= {"RUN": folder, "STATE": "none"}
    if entry is None:
        return values
    manifest = entry.manifest
    return values | {
        "STATE": entry.state.value,
        "MANIFEST": manifest.id,
        "MODE": manifest.mode.value,
        "CHECKPOINT": os.path.normpath(os.path.join(folder, from_text(manifest.checkpoint.path))),
        "FORMAT": manifest.checkpoint.format.value,
        "API": manifest.restore.api.value,
        "STEP": manifest.restore.initial_step,
        "EPOCH": manifest.restore.initial_epoch,
        "JOB": None if entry.claim is None else entry.claim.job,
    }
