"""The table of formats: a row each, asked by everything that has to know how a format differs from another."""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from core.base.facts import Format
from core.formats.spec import FormatSpec
from core.formats.specs import of_jax, of_keras, of_tensorflow

_OF_FAMILIES = {row.format: row for row in (*of_jax.ROWS, *of_keras.ROWS, *of_tensorflow.ROWS)}


def _row(form: Format) -> FormatSpec:
    if form in _OF_FAMILIES:
        return _OF_FAMILIES[form]
    return cast(FormatSpec, import_module(f"core.formats.{form.value.replace('-', '_')}").SPEC)


SPECS = tuple(_row(form) for form in Format)
_BY_FORMAT = {spec.format: spec for spec in SPECS}


def spec_of(form: Format) -> FormatSpec:
    """A format's row."""
    return _BY_FORMAT[form]


def formats_where(holds: Callable[[FormatSpec], bool]) -> frozenset[Format]:
    """The formats for whose rows something holds."""
    return frozenset(spec.format for spec in SPECS if holds(spec))
