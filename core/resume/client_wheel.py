"""The wheel of the job's side, built from the checkout: what `make client` writes and the dashboard serves.

A wheel of pure Python is a zip (https://packaging.python.org/specifications/binary-distribution-format), so it needs no
build tool, no network and no folder that can be written. The same sources give the same bytes.
"""

import base64
import functools
import hashlib
import io
import re
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waypoint_resume.version import __version__

SOURCES = Path(__file__).parents[2] / "client"
_PACKAGE = "waypoint_resume"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell
_MODE = 0o644
_NUMBERS = re.compile(r"[0-9]{1,9}")
_WHEEL = "Wheel-Version: 1.0\nGenerator: waypoint\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def wheel_name() -> str:
    """The file's name, which installers read the version and the kind of Python from."""
    return f"{_PACKAGE}-{__version__}-py3-none-any.whl"


@functools.cache
def client_wheel() -> bytes:
    """The wheel's content, as the sources were when it was asked for first."""
    info = f"{_PACKAGE}-{__version__}.dist-info"
    project = tomllib.loads((SOURCES / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = {path.relative_to(SOURCES).as_posix(): path.read_bytes() for path in _modules()}
    files |= {
        f"{info}/METADATA": _metadata(project).encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
        f"{info}/licenses/LICENSE": (SOURCES / "LICENSE").read_bytes(),
    }
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = 3, (0o100000 | _MODE) << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def is_older(version: str | None) -> bool:
    """Whether a job's client is older than the one here, by the version in its claim; one that tells none is."""
    here, theirs = (tuple(map(int, _NUMBERS.findall(text))) for text in (__version__, version or ""))
    return theirs < here


def _modules() -> list[Path]:
    found = (SOURCES / _PACKAGE).rglob("*")
    return sorted(path for path in found if path.suffix == ".py" or path.name == "py.typed")


def _metadata(project: Mapping[str, Any]) -> str:
    """METADATA of version 2.1 from pyproject.toml."""
    fields = {
        "Metadata-Version": "2.1",
        "Name": project["name"],
        "Version": __version__,
        "Summary": project["description"],
        "Author": project["authors"][0]["name"],
        "License": project["license"]["text"],
        "Requires-Python": project["requires-python"],
        "Description-Content-Type": "text/markdown",
        "License-File": "LICENSE",
    }
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"{head}\n{(SOURCES / project['readme']).read_text(encoding='utf-8')}"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def main(folder: str) -> None:
    """Write the wheel into a folder, which is made where it is missing, and print its path."""
    target = Path(folder, wheel_name())
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(client_wheel())
    sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(sys.argv[1])
