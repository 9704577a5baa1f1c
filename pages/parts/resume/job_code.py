"""What a person needs to make a training job obey a manifest: the code for its script, and the file that it imports."""

import posixpath

import streamlit as st

from core.base.errors import NotFoundError
from core.services.checkpoints import spec_of
from core.services.job_code import framework, snippet
from core.services.manifests import Manifest
from pages.parts.frame import reads, service
from pages.parts.frame.text import shown
from pages.parts.resume import install
from waypoint_resume.names import from_text


def show(root: str, run: str, manifest: Manifest) -> None:
    """The code for the job's script, made for this checkpoint's format and the framework that wrote it."""
    kind = framework(manifest, _variables(root, run, manifest))
    text = snippet(manifest, service.workspace().absolute(root, run), kind)
    st.code(text, language="python", wrap_lines=True)


def how_to_start() -> None:
    """How the job gets the package that the code imports, and what to do with the code."""
    install.show()
    st.caption(
        "Paste the code into the job's script, and start the job as always. `WAYPOINT_JOB=name` in its environment "
        "names it, so that it goes on when it is started again (under SLURM the job's id does so)."
    )


def where(path: str) -> None:
    """Where the manifest lies, for those whose script reads it by itself."""
    st.caption("The manifest lies here:")
    st.code(shown(path), language=None, wrap_lines=True)


def _variables(root: str, run: str, manifest: Manifest) -> list[str]:
    """The names of the variables, where the format's code depends on them; none for others, and for a checkpoint that
    the catalog does not know (yet).
    """
    restoring = spec_of(manifest.checkpoint.format).restoring
    if restoring is None or not restoring.by_variables:
        return []
    path = posixpath.normpath(posixpath.join(run, from_text(manifest.whole_path)))
    try:
        checkpoint = service.workspace().reader.checkpoint(root, path)
    except NotFoundError:
        return []
    return [variable.name for variable in reads.inspection(checkpoint).variables]
