"""The points of runs' metrics: as the catalog keeps them, or all of them from the files."""

from collections.abc import Collection, Mapping, Sequence

from core.catalog.metric_queries import source_files
from core.catalog.metric_series import load_tracks
from core.metrics.curves import Curve, curve_of
from core.metrics.of_run import read_run
from core.metrics.registry import PREFERENCE
from core.services.workspace import Workspace
from core.stores.local import LocalStore


def curve(workspace: Workspace, root_id: str, run: str, tag: str, *, full: bool = False) -> Curve | None:
    """The points of a metric of a run, at most some hundred; `full`: all of them, from the files. None where the run
    has no such metric.
    """
    return curves(workspace, root_id, run, [tag], full=full).get(tag)


def curves(
    workspace: Workspace, root_id: str, run: str, tags: Collection[str] | None = None, *, full: bool = False
) -> dict[str, Curve]:
    """The curves of some metrics of a run, of all without `tags`, by name; see `curve`."""
    return curves_of_runs(workspace, [(root_id, run)], tags, full=full)[root_id, run]


def curves_of_runs(
    workspace: Workspace, runs: Sequence[tuple[str, str]], tags: Collection[str] | None = None, *, full: bool = False
) -> dict[tuple[str, str], dict[str, Curve]]:
    """The curves of several runs, given by root and path; see `curves`."""
    names = None if tags is None else list(tags)
    found: dict[tuple[str, str], dict[str, Curve]] = {}
    for root_id in dict.fromkeys(root for root, _ in runs):
        here = [run for root, run in runs if root == root_id]
        for run, tracks in load_tracks(workspace.engine, root_id, here, names).items():
            told = {tag: curve_of(tag, parts, PREFERENCE) for tag, parts in tracks.items()}
            found[root_id, run] = {tag: one for tag, one in told.items() if one is not None}
            if full:
                found[root_id, run] |= _in_full(workspace, root_id, run, found[root_id, run])
    return found


def _in_full(workspace: Workspace, root_id: str, run: str, known: Mapping[str, Curve]) -> dict[str, Curve]:
    """All points of those curves of which the catalog keeps a part."""
    thinned = [one for one in known.values() if one.is_thinned]
    if not thinned:
        return {}
    wanted = {path for one in thinned for path in one.files}
    files = [file for file in source_files(workspace.engine, root_id, run) if file.path in wanted]
    logs = read_run(LocalStore(workspace.root(root_id).path), run, files)
    return {one.tag: whole for one in thinned if (whole := logs.curve(one.tag)) is not None}
