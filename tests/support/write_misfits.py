"""Writes models whose config and values do not fit each other, and some that fit, and says which of them Keras loads.

Usage: write_misfits.py FOLDER. Beside them goes `loads.json`: the name → whether the Keras that wrote it loads it.
"""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import tf_keras

Config = dict[str, Any]


def model(of: Any, *widths: int) -> Any:  # noqa: ANN401 (either Keras)
    """Dense layers of these widths, compiled."""
    layers = [of.layers.Dense(width, name=f"d{number}") for number, width in enumerate(widths)]
    made = of.Sequential([of.layers.Input((4,)), *layers])
    made.compile("adam", of.losses.MeanSquaredError())
    made.build((None, 4))
    return made


class Own(keras.layers.Dense):  # type: ignore[misc]
    """A layer that only its job knows."""


def wider(config: Config) -> None:
    """One layer has more units than values."""
    config["config"]["layers"][1]["config"]["units"] += 2


def longer(config: Config) -> None:
    """One layer more than there are values."""
    layers = config["config"]["layers"]
    more = json.loads(json.dumps(layers[-1]))
    more["config"]["name"] = "more"
    more.pop("build_config", None)
    layers.append(more)


def shorter(config: Config) -> None:
    """One layer less than there are values."""
    config["config"]["layers"].pop()


def other(config: Config) -> None:
    """A layer of another kind than the values are of."""
    layer = config["config"]["layers"][2]
    layer["class_name"] = "BatchNormalization"
    layer["config"] = {"name": layer["config"]["name"]}


def same(_config: Config) -> None:
    """As it was saved."""


CHANGES: dict[str, Callable[[Config], None]] = {one.__name__: one for one in (same, wider, longer, shorter, other)}


def rezip(path: Path, change: Callable[[Config], None]) -> None:
    """Change a `.keras` file's config."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def rewrite(path: Path, change: Callable[[Config], None]) -> None:
    """Change a legacy file's config."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def write(folder: Path) -> None:
    """All of them."""
    for name, change in CHANGES.items():
        for of, prefix in ((keras, "new"), (tf_keras, "old")):
            model(of, 3, 2).save(folder / f"{prefix}-{name}.keras")
            rezip(folder / f"{prefix}-{name}.keras", change)
            model(of, 3, 2).save(folder / f"{prefix}-{name}.h5")
            rewrite(folder / f"{prefix}-{name}.h5", change)
        place = folder / f"folder-{name}"
        model(keras, 3, 2).save(place, zipped=False)
        config = json.loads((place / "config.json").read_text())
        change(config)
        (place / "config.json").write_text(json.dumps(config))
    keras.Sequential([keras.Input((4,)), Own(3)]).save(folder / "own.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)]).save(
        folder / "lambda.keras"
    )


def main(folder: Path) -> None:
    """Write, load."""
    write(folder)
    loads = {}
    for path in sorted(folder.iterdir()):
        try:
            (tf_keras if path.name.startswith("old") else keras).models.load_model(path)
            loads[path.name] = True
        except Exception:  # noqa: BLE001 (whatever Keras raises)
            loads[path.name] = False
    (folder / "loads.json").write_text(json.dumps(loads))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
