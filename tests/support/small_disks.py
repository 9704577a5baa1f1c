"""Small file systems in memory, and filling them."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

Maker = Callable[[str, str], Path]


@contextmanager
def small_disks(folder: Path) -> Iterator[Maker]:
    """Makes file systems of a given size (as mount writes it), by name."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    with ExitStack() as stack:

        def make(name: str, size: str) -> Path:
            place = folder / name
            place.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
            if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
                pytest.skip("this system refuses to mount a file system in memory")
            stack.callback(subprocess.run, ["umount", "-l", str(place)], check=True)
            return place

        yield make


def fill_up(place: Path, but: int = 0) -> Path:
    """Write a file until there is no room for another byte, but for those that are asked for."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            for length in (65_536, 1):
                while file.write(b"\0" * length) == length:
                    pass
        except OSError:
            pass
    os.truncate(ballast, ballast.stat().st_size - but)
    assert shutil.disk_usage(place).free == but
    return ballast
