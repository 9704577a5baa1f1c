"""A manifest of an Orbax step names what Orbax restores: its item, or all items of a Composite; old ones stay valid."""

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import jax.numpy
import jax.tree
import numpy as np
import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.resume.manifest import Manifest, parse, to_json
from core.resume.snippet import framework, snippet
from core.services.resume import propose, resume_from
from tests.client.test_client_training import opened
from tests.support.keras_files import checkpoints
from waypoint_resume.manifest import parse_manifest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import orbax.checkpoint as ocp

TREE = {"params": {"w": np.arange(6.0)}, "step": 30}
OTHER = {"v": np.ones(3)}


def saved(folder: Path, kind: str) -> None:
    """A run that Orbax wrote: a manager's with one item, with two, or a tree saved by itself."""
    run = folder / "runs" / "run"
    if kind == "itself":
        ocp.PyTreeCheckpointer().save(str(run / "checkpoint_30"), TREE)
        return
    with ocp.CheckpointManager(run) as manager:
        if kind == "one":
            manager.save(30, args=ocp.args.StandardSave(TREE), metrics={"loss": 0.5})
        else:
            items = {"state": ocp.args.StandardSave(TREE), "ema": ocp.args.StandardSave(OTHER)}
            manager.save(30, args=ocp.args.Composite(**items, notes=ocp.args.JsonSave({"a": 1})))
        manager.wait_until_finished()


def handed_over(folder: Path) -> tuple[Manifest, dict[str, Any]]:
    """The manifest of the only checkpoint of the run, and its document."""
    workspace = opened(folder)
    (picked,) = workspace.members(workspace.runs()[0].root, "run")
    proposal = propose(workspace, picked)
    manifest, path = resume_from(workspace, picked, proposal, note="", accepted=[one.id for one in proposal.warnings])
    workspace.close()
    assert parse(path.read_bytes()) == manifest
    return manifest, json.loads(path.read_text())


def equal(one: object, other: object) -> bool:
    return all(jax.tree.leaves(jax.tree.map(np.array_equal, one, other)))


@pytest.mark.parametrize(
    ("kind", "path", "items", "whole"),
    [
        ("one", "30/default", ("30/default",), "30"),
        ("two", "30", ("30/ema", "30/state"), "30"),
        ("itself", "checkpoint_30", None, "checkpoint_30"),
    ],
)
def test_the_path_is_what_orbax_restores(
    tmp_path: Path, kind: str, path: str, items: tuple[str, ...] | None, whole: str
) -> None:
    saved(tmp_path, kind)
    manifest, document = handed_over(tmp_path)
    assert (manifest.checkpoint.path, manifest.restore.items, manifest.whole_path) == (path, items, whole)
    assert ("items" in document["restore"]) == (items is not None)
    run = tmp_path / "runs" / "run"
    found = [ocp.PyTreeCheckpointer().restore(str(run / name)) for name in items or (path,)]
    assert equal(found, [OTHER, TREE] if kind == "two" else [TREE])
    code = snippet(manifest, str(run), framework(manifest))
    names: dict[str, Any] = {}
    exec(code, names)
    assert equal(names["state"], found if kind == "two" else TREE)


def test_the_jobs_side_knows_the_whole_step(tmp_path: Path) -> None:
    saved(tmp_path, "one")
    manifest, _ = handed_over(tmp_path)
    picked = parse_manifest(to_json(manifest), "resume_manifest.json")["checkpoint"]
    assert (picked["path"], picked["inner"]) == ("30", "default")


def test_a_manifest_that_names_the_step_is_still_taken(tmp_path: Path) -> None:
    saved(tmp_path, "one")
    manifest, document = handed_over(tmp_path)
    del document["restore"]["items"]
    document["checkpoint"]["path"] = "30"
    old = parse(json.dumps(document))
    assert (old.checkpoint.path, old.whole_path, old.restore.items) == ("30", "30", None)
    picked = parse_manifest(json.dumps(document), "resume_manifest.json")["checkpoint"]
    assert (picked["path"], picked["inner"]) == ("30", "")
    run = str(tmp_path / "runs" / "run")
    assert snippet(old, run, framework(old)) == snippet(manifest, run, framework(manifest))


def test_a_plan_keeps_the_step_whose_item_is_handed_over(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    with ocp.CheckpointManager(run) as manager:
        for step in (10, 20):
            manager.save(step, args=ocp.args.StandardSave(TREE))
        manager.wait_until_finished()
    workspace = opened(tmp_path)
    root = workspace.runs()[0].root
    old = workspace.reader.checkpoint(root, "run/10")
    proposal = propose(workspace, old)
    manifest, _ = resume_from(
        workspace, old, proposal, note="", accepted=[w.id for w in proposal.warnings], confirm="run"
    )
    workspace.close()
    assert manifest.checkpoint.path == "10/default"
    assert manifest.whole_path == "10"
    roots = ["--root", str(tmp_path / "runs")]
    env = {"WAYPOINT_HOME": str(tmp_path / "home"), "WAYPOINT_LIVE_WINDOW": "1"}
    done = CliRunner().invoke(app, ["plan", "--latest", "1", "--json", *roots], env=env)
    stays = {item["path"]: item["reasons"] for run in json.loads(done.stdout)["runs"] for item in run["stays"]}
    assert any(why.startswith("pending manifest") for why in stays["10"])


RESTORE = """
import sys
import orbax.checkpoint as ocp
for folder in sys.argv[1:]:
    try:
        with ocp.CheckpointManager(folder) as manager:
            manager.restore(30, args=ocp.args.StandardRestore())
        print("restores")
    except Exception:
        print("refuses")
"""


def test_what_is_json_and_tells_nothing_is_refused_as_orbax_does(tmp_path: Path) -> None:
    names = ("_METADATA", "_sharding", "array_metadatas/process_0")
    folders = [tmp_path / name.partition("/")[0] for name in names]
    with ocp.CheckpointManager(tmp_path / "whole") as manager:
        manager.save(30, args=ocp.args.StandardSave({"params": {"w": jax.numpy.arange(6.0)}}))
    for folder, name in zip(folders, names, strict=True):
        shutil.copytree(tmp_path / "whole", folder)
        file = folder / "30" / "default" / name
        emptied = {**json.loads(file.read_text()), "tree_metadata": {}} if name == "_METADATA" else []
        file.write_text(json.dumps(emptied))
        (found,) = checkpoints(folder)["30"].findings
        assert (found.rule, name in found.reason) == ("unreadable-file", True)
    assert checkpoints(tmp_path / "whole")["30"].restorable
    command = [sys.executable, "-c", RESTORE, str(tmp_path / "whole"), *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["restores", "refuses", "refuses", "refuses"]


def test_what_its_manager_passes_over_is_no_damage_and_what_lies_about_the_arrays_is(tmp_path: Path) -> None:
    def edit(file: Path, **told: object) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text()), **told}))

    tree, handler = {"params": {"w": jax.numpy.arange(6.0)}}, "StandardCheckpointHandler"
    options = ocp.CheckpointManagerOptions(best_fn=lambda metrics: metrics["loss"])
    with ocp.CheckpointManager(tmp_path / "whole", options=options) as manager:
        for step in (20, 30):
            manager.save(step, args=ocp.args.StandardSave(tree), metrics={"loss": 0.5})
    names = ("list", "listed", "no-database", "zarr3", "no-sharding")
    metrics, listed, *lies = (shutil.copytree(tmp_path / "whole", tmp_path / name) for name in names)
    (metrics / "30" / "metrics" / "metrics").write_text("[1]")
    edit(listed / "30" / "_CHECKPOINT_METADATA", item_handlers={"default": handler, "never": handler})
    edit(lies[0] / "30" / "default" / "_METADATA", use_ocdbt=False)
    edit(lies[1] / "30" / "default" / "_METADATA", use_zarr3=True)
    (lies[2] / "30" / "default" / "_sharding").write_text("{}")
    assert [checkpoints(folder)["30"].restorable for folder in (metrics, listed, *lies)] == [True] * 2 + [False] * 3
    command = [sys.executable, "-c", RESTORE, *map(str, (metrics, listed, *lies))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["restores"] * 2 + ["refuses"] * 3
