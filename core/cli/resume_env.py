"""`resume-env RUN`: what a job of this run would be told, for a shell or a scheduler's script; it claims nothing."""

import typer

from core.cli.options import AsJson, Cached, Roots, RunName
from core.cli.session import FAILED, looked_at, print_json, say
from core.services.manifests import environment


def resume_env_command(run: RunName, roots: Roots = None, as_json: AsJson = False, cached: Cached = False) -> None:
    """Print what a job of the run follows, as exports for `eval` in a shell: RESUME_STATE is pending, claimed or none.

    Nothing is claimed: that is the job's to do. It fails, and RESUME_STATE is unreadable, where the manifest cannot be
    read. Without this dashboard `python -m waypoint_resume env RUN` says the same.
    """
    with looked_at(roots, "resume-env", cached=cached) as (workspace, code):
        found = workspace.find_run(run)
        told = environment(workspace, found.root, found.path)
        if told.problem is not None:
            code = FAILED
            say(told.problem)
        if as_json:
            print_json(told.as_json())
        else:
            typer.echo(told.export_lines(), nl=False)
        raise typer.Exit(code)
