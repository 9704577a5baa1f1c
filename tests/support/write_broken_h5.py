"""Writes Keras' HDF5 files, breaks each in one way, and says which of them Keras restores.

Usage: write_broken_h5.py FOLDER. Beside the files goes `restored.json`: the file's name → whether Keras restored it.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np

NAMES = "weight_names"


def model() -> keras.Model:
    """Two layers, built and compiled."""
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(1, name="b")])
    made.compile("adam", "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def without(*places: str) -> Callable[[h5py.File], None]:
    """Deletes what lies at these places."""

    def change(file: h5py.File) -> None:
        for place in places:
            del file[place]

    return change


def instead(place: str, put: Callable[[h5py.File, str, np.ndarray], None]) -> Callable[[h5py.File], None]:
    """Puts something else in a dataset's place."""

    def change(file: h5py.File) -> None:
        value = file[place][()]
        del file[place]
        put(file, place, value)

    return change


def external(file: h5py.File, place: str, value: np.ndarray) -> None:
    """A dataset whose bytes are another file's, which is gone."""
    file.create_dataset(place, shape=value.shape, dtype=value.dtype, external=[("gone.bin", 0, value.nbytes)])


def external_link(file: h5py.File, place: str, _value: np.ndarray) -> None:
    """A link to another file, which is gone."""
    file[place] = h5py.ExternalLink("gone.h5", "/x")


def soft_link(file: h5py.File, place: str, _value: np.ndarray) -> None:
    """A link to nothing."""
    file[place] = h5py.SoftLink("/gone")


def inner_link(file: h5py.File, place: str, value: np.ndarray) -> None:
    """A link to the weight, which lies elsewhere in the file."""
    file["elsewhere"] = value
    file[place] = h5py.SoftLink("/elsewhere")


def null(file: h5py.File, place: str, _value: np.ndarray) -> None:
    """A dataset without values."""
    file[place] = h5py.Empty("f4")


def no_list(place: str, name: str) -> Callable[[h5py.File], None]:
    """Deletes a list of names."""

    def change(file: h5py.File) -> None:
        del file[place].attrs[name]

    return change


def config(name: str, change: Callable[[dict[str, object]], object]) -> Callable[[h5py.File], None]:
    """Changes a config of the model, which stays JSON."""

    def write(file: h5py.File) -> None:
        found = json.loads(file.attrs[name])
        change(found)
        file.attrs[name] = json.dumps(found)

    return write


def number(file: h5py.File) -> None:
    """A number stands in the place of a config."""
    del file.attrs["model_config"]
    file.attrs["model_config"] = 3


def second_name(file: h5py.File) -> None:
    """A layer's weights lie elsewhere and have a second name, as a repacked file may have."""
    file["model_weights/0"] = file["model_weights/a"]


def main(folder: Path) -> None:
    """Write, break, load."""
    made = model()
    made.save(folder / "whole.h5")
    with h5py.File(folder / "whole.h5") as file:
        kernel = f"a/{file['model_weights/a'].attrs[NAMES][0]}"
    made.save_weights(folder / "whole.weights.h5")
    with h5py.File(folder / "whole.weights.h5") as file:
        names: list[str] = []
        file["layers"].visit(names.append)
        first = "layers/" + min(name for name in names if name.endswith("vars/0"))
    kinds = {"external": external, "external_link": external_link, "soft_link": soft_link, "null": null}
    kinds["inner_link"] = inner_link
    legacy = {
        "whole": lambda _file: None,
        "second_name": second_name,
        "no_class": config("model_config", lambda found: found.pop("class_name")),
        "no_config": config("model_config", lambda found: found.update(config=None)),
        "a_number": number,
        "no_dataset": without(f"model_weights/{kernel}"),
        "no_group": without("model_weights/a"),
        "no_weights": without("model_weights"),
        "no_layer_names": no_list("model_weights", "layer_names"),
        "no_weight_names": no_list("model_weights/b", NAMES),
        **{name: instead(f"model_weights/{kernel}", put) for name, put in kinds.items()},
    }
    new = {"whole": lambda _file: None, **{name: instead(first, put) for name, put in kinds.items()}}
    restored: dict[str, bool] = {}
    for ending, changes in ((".h5", legacy), (".weights.h5", new)):
        for name, change in changes.items():
            path = folder / f"{name}{ending}"
            (made.save if ending == ".h5" else made.save_weights)(path)
            with h5py.File(path, "r+") as file:
                change(file)
            try:
                keras.models.load_model(path, compile=False) if ending == ".h5" else model().load_weights(path)
                restored[path.name] = True
            except Exception:  # noqa: BLE001 (whatever Keras raises)
                restored[path.name] = False
    (folder / "restored.json").write_text(json.dumps(restored))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
