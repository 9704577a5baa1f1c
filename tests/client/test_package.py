"""The client as a package: its wheel, what pip makes of it, the wheel on PYTHONPATH, and Pythons that are too old."""

import ast
import email.parser
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from core.resume.client_wheel import SOURCES, client_wheel, wheel_name
from tests.compat.pythons import find_python
from tests.support.pages_server import ROOT, serve
from waypoint_resume.version import __version__

OLD = ("2.7", "3.6", "3.7", "3.8")
FIELDS = ("Name", "Version", "Summary", "Author", "License", "Requires-Python", "Description-Content-Type")
EVERY_MODULE = """
import importlib, pkgutil, waypoint_resume
for item in pkgutil.iter_modules(waypoint_resume.__path__):
    if item.name != "__main__":
        importlib.import_module("waypoint_resume." + item.name)
print(waypoint_resume.__version__, waypoint_resume.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as `make client` writes it."""
    folder = tmp_path_factory.mktemp("a dist")
    command = [sys.executable, "-m", "core.resume.client_wheel", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    assert made == str(folder / wheel_name())
    return Path(made)


def run_python(python: str, *arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A Python that knows nothing of the checkout but what is given as its PYTHONPATH."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean |= {} if path is None else {"PYTHONPATH": str(path)}
    return subprocess.run([python, *arguments], capture_output=True, text=True, env=clean, cwd="/", check=False)


def contents(archive: bytes) -> dict[str, bytes]:
    """The files of a wheel's package."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist() if name.startswith("waypoint_resume/")}


def metadata(archive: bytes) -> dict[str, str | None]:
    """The fields that an installer or a reader looks at."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        message = email.parser.Parser().parsestr(file.read(name).decode())
    return {field: message[field] for field in FIELDS} | {"body": message.get_payload()}


def test_the_same_sources_give_the_same_bytes(wheel: Path) -> None:
    assert wheel.read_bytes() == client_wheel()
    assert (SOURCES / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_holds_what_pip_makes_of_the_folder(wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a checkout" / "client"  # building writes into the sources
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__"))
    command = ["-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(tmp_path), str(copy)]
    done = run_python(sys.executable, *command)
    assert done.returncode == 0, done.stderr
    theirs, ours = (tmp_path / wheel_name()).read_bytes(), wheel.read_bytes()
    assert contents(ours) == contents(theirs)
    assert metadata(ours) == metadata(theirs)
    assert metadata(ours)["Version"] == __version__


def test_pip_installs_it_from_a_running_dashboard(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    target = tmp_path / "a venv"
    with serve(tmp_path / "runs", tmp_path / "home") as server:
        url = f"{server.url}/client/{wheel_name()}"
        command = ["-m", "pip", "install", "--no-index", "--isolated", "--no-cache-dir", "--target", str(target), url]
        done = run_python(sys.executable, *command)
        assert done.returncode == 0, done.stderr
        assert server.get("/client/waypoint_resume-0.0.1-py3-none-any.whl").status == 404
    told = run_python(sys.executable, "-c", EVERY_MODULE, path=target)
    assert told.stdout.split(" ", 1) == [__version__, f"{target / 'waypoint_resume' / '__init__.py'}\n"], told.stderr
    assert list(target.glob("*.dist-info"))


def test_the_wheel_on_the_path_is_enough(wheel: Path) -> None:
    told = run_python(sys.executable, "-c", EVERY_MODULE, path=wheel)
    assert told.stdout.split(" ", 1) == [__version__, f"{wheel}/waypoint_resume/__init__.py\n"], told.stderr


@pytest.mark.parametrize("version", OLD)
@pytest.mark.parametrize("form", ["folder", "wheel"])
def test_an_older_python_is_refused_in_one_sentence(wheel: Path, version: str, form: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    place = wheel if form == "wheel" else SOURCES
    for arguments in (("-c", "import waypoint_resume"), ("-m", "waypoint_resume", "--help")):
        told = run_python(python, "-B", *arguments, path=place)
        assert told.returncode == 1
        assert (
            f"waypoint_resume needs Python 3.9 or newer, and this is Python {version}." in told.stderr.splitlines()[-1]
        )


def test_what_an_older_python_reads_before_it_is_refused_is_written_for_it() -> None:
    source = (SOURCES / "waypoint_resume" / "__init__.py").read_text(encoding="ascii")
    ast.parse(source, feature_version=(3, 4))
    first = next(node for node in ast.parse(source).body if not isinstance(node, ast.Expr | ast.Import))
    assert isinstance(first, ast.If), "the version is looked at before anything of the package is imported"
