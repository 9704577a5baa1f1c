"""Imports point one way, and what the dashboard imports stays light."""

import ast
import functools
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
    ("base",),
    ("config", "search", "stores", "workers"),
    ("formats",),
    ("runs",),
    ("metrics",),
    ("health", "runfolder", "sweeps"),
    ("verify",),
    ("distance",),
    ("catalog",),
    ("indexing",),
    ("mend",),
    ("resume",),
    ("retention",),
    ("acts",),
    ("disk_usage",),
    ("services",),
    ("background", "documents"),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: number for number, row in enumerate(LAYERS) for name in row}
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


# What draws or prints asks these rooms alone; another front, as an API, would ask the same ones.
ROOMS = {"base", "services", "documents"}
FRONTS = [HERE / "app.py", *sorted((HERE / "pages").rglob("*.py")), *sorted((CORE / "cli").glob("*.py"))]
# The dashboard's server is the one that has threads, and what it draws of them it hands on to the pages.
THREADS = {HERE / "pages/parts/frame/service.py": {"background"}, HERE / "app.py": {"background"}}


def rooms_of(path: Path) -> dict[str, set[str]]:
    """What a front imports of the core, by room, and of the job's side more than its names of files."""
    found: dict[str, set[str]] = {}
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "core":
            found.setdefault(rest.partition(".")[0], set()).add(name)
        elif top == "waypoint_resume" and not rest.startswith("names."):
            found.setdefault(top, set()).add(name)
    if path.is_relative_to(CORE):
        found.pop("cli", None)
    return found


@pytest.mark.parametrize("path", FRONTS, ids=lambda path: path.relative_to(HERE).as_posix())
def test_pages_and_commands_ask_the_services_alone(path: Path) -> None:
    rooms = rooms_of(path)
    assert {room: names for room, names in rooms.items() if room not in ROOMS | THREADS.get(path, set())} == {}


def test_the_test_of_rooms_would_notice() -> None:
    assert {"catalog", "waypoint_resume"} <= rooms_of(CORE / "services/workspace.py").keys() | rooms_of(
        CORE / "services/kept.py"
    ).keys()


# The job's side is the lowest layer. Of it the core imports what both sides keep, never what loads or trains.
FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "jax", "orbax", "h5py"}


@functools.cache
def frameworks_behind(name: str) -> frozenset[str]:
    """The modules of the client that import a framework, also inside functions, and that importing a module reaches."""
    seen, left, found = set[str](), {name}, set[str]()
    while left:
        seen.add(one := left.pop())
        wanted = set(imported(CLIENT / f"{one}.py"))
        if {other.partition(".")[0] for other in wanted} & FRAMEWORKS:
            found.add(one)
        left |= {other.split(".")[1] for other in wanted if other.startswith("waypoint_resume.")} - seen
    return frozenset(found)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CORE).as_posix())
def test_the_core_imports_nothing_of_the_jobs_side_that_loads_or_trains(path: Path) -> None:
    wanted = {name.split(".")[1] for name in imported(path) if name.startswith("waypoint_resume.")}
    assert {name: frameworks_behind(name) for name in wanted if frameworks_behind(name)} == {}


@pytest.mark.parametrize("path", sorted(CLIENT.glob("*.py")), ids=lambda path: path.name)
def test_the_jobs_side_does_not_know_the_core(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported(path)}
    assert tops & {"core", "pages", "app", "streamlit", "pydantic"} == set()


def test_the_test_of_layers_would_notice() -> None:
    assert "live" in frameworks_behind("resuming")


# The client runs inside the training job; tests/client/test_client_claim.py holds what importing it loads.
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
    assert loaded_after("core, core.cli, core.cli.app, core.services.workspace, core.background.indexer") == []


def test_the_test_would_notice() -> None:
    assert loaded_after("h5py") == ["h5py"]
