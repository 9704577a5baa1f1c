"""The table of formats: a row each, asked by everything that has to know how a format differs from another.

In this order they take their files out of a folder: the first that knows a file has it.
"""

from collections.abc import Callable

from core.base.facts import Format
from core.formats.spec import FormatSpec
from core.formats.specs import of_jax, of_keras, of_others, of_tensorflow

SPECS: tuple[FormatSpec, ...] = (
    of_jax.ORBAX,
    of_tensorflow.SAVED_MODEL,
    of_keras.KERAS_FOLDER,
    of_tensorflow.TF_BUNDLE,
    of_keras.WEIGHTS_H5_SHARDED,
    of_keras.KERAS,
    of_keras.WEIGHTS_H5,
    of_keras.HDF5,
    of_others.SAFETENSORS,
    of_tensorflow.TF_V1,
    of_jax.FLAX_MSGPACK,
)
_BY_FORMAT = {spec.format: spec for spec in SPECS}


def spec_of(form: Format) -> FormatSpec:
    """A format's row."""
    return _BY_FORMAT[form]


def formats_where(holds: Callable[[FormatSpec], bool]) -> frozenset[Format]:
    """The formats for whose rows something holds."""
    return frozenset(spec.format for spec in SPECS if holds(spec))
