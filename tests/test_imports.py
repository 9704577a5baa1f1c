"""Imports point one way, and what the dashboard imports stays light."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
CORE = HERE / "core"
CLIENT = HERE / "client" / "waypoint_resume"
# From the lowest layer to the highest; those in one row do not know each other.
LAYERS = (
    ("background", "errors", "sizes"),
    ("model", "setting_values"),
    ("settings",),
    ("fs",),
    ("scan",),
    ("formats",),
    ("health",),
    ("decisions",),
    ("catalog",),
    ("index",),
    ("choose",),
    ("verify",),
    ("mend",),
    ("resume",),
    ("storage",),
    ("workspace",),
    ("accounts", "care", "housekeeping"),
    ("survey",),
    ("auditor",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: number for number, row in enumerate(LAYERS) for name in row}
# The job's side is the lowest layer. Of it the core imports what both sides keep, never what loads or trains.
SHARED = {
    *(
        "atomic",
        "checkpoints",
        "claim",
        "claim_record",
        "clock",
        "file_names",
        "files",
        "governing",
        "handed_over",
        "heartbeat",
        "identity",
        "ids",
        "job_environment",
        "journal",
        "kept",
        "layout",
        "lock",
        "manifest",
        "moments",
        "name_words",
        "names",
        "places",
    ),
    *("event_files", "superseded_events", "superseded_rows", "timeline"),
    *("process", "spec", "state_copy", "state_files", "state_store", "values", "version"),
}
MODULES = sorted(path for path in CORE.rglob("*.py") if not path.name.endswith("_pb2.py"))
HEAVY = ("tensorflow", "keras", "streamlit", "h5py", "jax", "pandas", "plotly")


def imported(path: Path) -> Iterator[str]:
    """Full names of all that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            yield from (f"{node.module}.{name.name}" for name in node.names)


def layer(path: Path) -> str:
    """The part of the core that a module belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def test_every_part_of_the_core_has_its_layer() -> None:
    assert {layer(path) for path in MODULES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_a_module_imports_only_from_its_own_layer_and_lower_ones(path: Path) -> None:
    own = layer(path)
    wanted = {name.split(".")[1] for name in imported(path) if name.startswith("core.")} - {own}
    if own == "__init__":
        assert wanted == set()
    else:
        assert {name: LEVEL[name] for name in wanted if LEVEL[name] >= LEVEL[own]} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_the_core_imports_of_the_jobs_side_what_both_share(path: Path) -> None:
    wanted = {name.split(".")[1] for name in imported(path) if name.startswith("waypoint_resume.")}
    assert wanted <= SHARED


@pytest.mark.parametrize("path", sorted(CLIENT.glob("*.py")), ids=lambda path: path.name)
def test_the_jobs_side_does_not_know_the_core(path: Path) -> None:
    assert {name.partition(".")[0] for name in imported(path)} & {
        "core",
        "pages",
        "app",
        "streamlit",
        "pydantic",
    } == set()


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_is_shared_knows_only_what_is_shared(name: str) -> None:
    wanted = {one.split(".")[1] for one in imported(CLIENT / f"{name}.py") if one.startswith("waypoint_resume.")}
    assert wanted <= SHARED | {"errors", "jobs", "lease", "log", "requests"}


# The client runs inside the training job; tests/test_client_claim.py holds what importing it loads.
@pytest.mark.parametrize(
    "path",
    MODULES,
    ids=lambda path: path.relative_to(CORE).as_posix(),
)
def test_the_core_knows_neither_the_pages_nor_what_is_banned(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    assert tops & {"streamlit", "tensorflow", "keras", "tf_keras", "jax", "pages", "app", "tests"} == set()


def loaded_after(imports: str) -> list[str]:
    """Those of the heavy packages that a fresh interpreter has loaded after an import."""
    program = f"import sys, json, {imports}; print(json.dumps(sorted(set({HEAVY!r}) & sys.modules.keys())))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=HERE, check=True, timeout=60
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_importing_the_core_and_the_shell_loads_nothing_heavy() -> None:
    assert loaded_after("core, core.cli, core.cli.app, core.workspace, core.index.indexer") == []


def test_the_test_would_notice() -> None:
    assert loaded_after("h5py") == ["h5py"]
