"""HDF5 files that want to harm whoever reads them."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from core.workers.h5.objects import MAX_OBJECTS
from tests.support.hostile_files import MIB, Maker


def hdf5(write: Callable[[h5py.File], None], name: str = "bad.weights.h5") -> Maker:
    """An HDF5 file."""

    def make(folder: Path) -> None:
        with h5py.File(folder / name, "w", libver="latest") as file:
            write(file)

    return make


def loops(file: h5py.File) -> None:
    """Groups that hold each other and themselves, and one variable."""
    file["vars/0"] = np.zeros(3)
    file["vars/again"] = file["vars"]
    file["vars/root"] = file["/"]
    file["z/b/c"] = file["vars"]
    file["vars/z"] = file["z"]


def many_groups(file: h5py.File) -> None:
    """More groups than are read."""
    for number in range(MAX_OBJECTS + 20_000):
        h5py.h5g.create(file.id, str(number).encode())


def links(file: h5py.File) -> None:
    """Links out of the file and to nowhere, and one variable."""
    other = Path(file.filename).with_name("other.data")
    with h5py.File(other, "w") as beside:
        beside["secret/vars/0"] = np.zeros(7)
    file["vars/0"] = np.zeros(3)
    file["vars/1"] = h5py.ExternalLink(str(other), "/secret/vars/0")
    file["layers"] = h5py.ExternalLink(str(other), "/secret")
    file["vars/2"] = h5py.ExternalLink("/etc/passwd", "/")
    file["vars/3"] = h5py.SoftLink("/vars/0")
    file["vars/4"] = h5py.SoftLink("/nowhere")
    file["vars/5"] = h5py.SoftLink("/vars/5")


def borrowed_counter(file: h5py.File) -> None:
    """A counter of steps whose bytes are those of another file, and one that is a view of another HDF5 file's."""
    other = Path(file.filename).with_name("other.data")
    with h5py.File(other, "w") as beside:
        beside["secret"] = np.int64(1234)
    file["vars/0"] = np.zeros(3, "float32")
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_external(b"/etc/passwd", 0, 8)
    scalar = h5py.h5s.create(h5py.h5s.SCALAR)
    file.create_group("optimizer/vars")
    h5py.h5d.create(file["optimizer/vars"].id, b"0", h5py.h5t.STD_I64LE, scalar, plan)
    layout = h5py.VirtualLayout((), "int64")
    layout[()] = h5py.VirtualSource(str(other), "secret", ())
    file.create_virtual_dataset("g_optimizer/vars/0", layout)


def huge_attributes(file: h5py.File) -> None:
    """Hundreds of megabytes in an attribute that is read."""
    file["vars/0"] = np.zeros(3)
    file.attrs.create("training_config", np.array("x" * (200 * MIB), dtype=h5py.string_dtype()))


def absurd_extents(file: h5py.File) -> None:
    """A dataset of 2^80 bytes, none of which are stored."""
    file.create_dataset("vars/0", shape=(1 << 40, 1 << 38), dtype="float32", chunks=(1, 1024))


def endless_counter(file: h5py.File) -> None:
    """A counter beyond what databases keep."""
    file["vars/0"] = np.zeros(3, "float32")
    file["optimizer/vars/0"] = np.uint64((1 << 64) - 1)


def nested_optimizers(file: h5py.File) -> None:
    """Thousands of optimizers that wrap each other."""
    for number in range(2_500):
        for place in (f"{number}/inner_optimizer/vars/0", f"{number}/inner_optimizer/inner_optimizer/vars/0"):
            file.create_dataset(place, shape=(), dtype="float32")


def odd_names(file: h5py.File) -> None:
    """Names with line ends, markup, parent folders and halves of characters."""
    for name in (b"a\nb", b"<img src=x onerror=alert(1)>", b"..", b"\xff\xfe", b"$(touch x)"):
        h5py.h5g.create(file["/"].id, name)
        h5py.h5g.create(file["/"].id, name + b"/vars")
        h5py.h5d.create(file["/"].id, name + b"/vars/0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((3,)))
