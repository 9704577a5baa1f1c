"""What Python runs at its start below `python -m waypoint_resume run`: it waits for Keras and wraps its `fit()`.

The folder of this file is the first of PYTHONPATH there. A sitecustomize that it hides runs too. Nothing else of the
package is imported unless Keras is.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_CLASSES = {
    "keras.src.backend.tensorflow.trainer": "TensorFlowTrainer",
    "keras.src.backend.jax.trainer": "JAXTrainer",
    "keras.src.engine.training": "Model",  # Keras 2
    "tf_keras.src.engine.training": "Model",
}


_CHECKPOINT = "tensorflow.python.checkpoint.checkpoint"  # holds tf.train.Checkpoint


class FitFinder:
    """Finds Keras' modules that hold a `fit()` as Python does, and has the class wrapped once it is made; so with
    tf.train.Checkpoint, by which loops of a script's own restore and save.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ANN401 - importlib's protocol
        """The spec, with a loader that wraps; None for all other modules."""
        if name not in _CLASSES and name != _CHECKPOINT:
            return None
        finders = (item for item in sys.meta_path if item is not self and hasattr(item, "find_spec"))
        spec = next((found for found in (item.find_spec(name, path, target) for item in finders) if found), None)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _package()
            if name == _CHECKPOINT:
                from waypoint_resume.unfollowed_loop import refuse_unfollowed

                refuse_unfollowed(module.Checkpoint)
                return
            from waypoint_resume.wrapped_fit import wrap_fit

            wrap_fit(getattr(module, _CLASSES[name]))

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _package() -> None:
    """Make `waypoint_resume` importable where this Python does not have it: it is the one that this file is of."""
    if importlib.util.find_spec("waypoint_resume") is not None:
        return
    root = os.path.dirname(os.path.dirname(_HERE))
    _run(importlib.machinery.PathFinder.find_spec("waypoint_resume", [root]))


def _run(spec: importlib.machinery.ModuleSpec | None) -> None:
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)


sys.meta_path.insert(0, FitFinder())
_others = [item for item in sys.path if os.path.abspath(item or os.curdir) != _HERE]
_run(importlib.machinery.PathFinder.find_spec("sitecustomize", _others))
