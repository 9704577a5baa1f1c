"""YAML from untrusted files: plain values only, with bounds on depth, size and what aliases repeat.

The parser's events are put together here, so that no tag makes an object. https://yaml.org/spec/1.1/; values are
resolved as PyYAML's safe loader does, but for `1e-3`, which is a number here as it is for those who write settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from core.base.errors import CorruptError, TooLargeError, UnsupportedError
from core.metrics.parameters import parsed

_Value: TypeAlias = Any  # what YAML holds: mappings, lists, text, numbers, truth values, None
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_SLOW_BYTES = 64 << 10  # where libyaml is not there: Python takes seconds for a megabyte
_MOST_VALUES = 50_000
_DEEPEST = 60
_LONGEST_NUMBER = 100  # characters; a longer one is text
_PLAIN = yaml.SafeLoader("")
_MERGE = "<<"
_STRING = "tag:yaml.org,2002:str"
_SIMPLE: dict[str, Callable[[yaml.ScalarNode], _Value]] = {
    "tag:yaml.org,2002:int": _PLAIN.construct_yaml_int,
    "tag:yaml.org,2002:float": _PLAIN.construct_yaml_float,
    "tag:yaml.org,2002:bool": _PLAIN.construct_yaml_bool,
    "tag:yaml.org,2002:null": lambda _node: None,
}


@dataclass(slots=True)
class _Open:
    """A mapping or a list in the making; `size` counts all values in it, those that aliases repeat too."""

    value: dict[str, _Value] | list[_Value]
    anchor: str | None
    key: str | None = None
    size: int = 1
    merged: dict[str, _Value] = field(default_factory=dict)


def parse(content: bytes, section: str) -> _Value:
    """The value of the first document. CorruptError, TooLargeError, UnsupportedError."""
    if _PARSER is yaml.SafeLoader and len(content) > _MOST_SLOW_BYTES:
        raise TooLargeError(f"YAML of {len(content):,} bytes without libyaml", section=section)
    builder = _Builder(section)
    try:
        for event in yaml.parse(content, Loader=_PARSER):
            if builder.take(event):
                break
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error).partition("\n")[0]
        raise CorruptError(f"no YAML: {problem}", section=section, offset=getattr(mark, "index", None)) from error
    except (ValueError, RecursionError) as error:  # characters that YAML does not allow
        raise CorruptError(f"no YAML: {str(error).partition(chr(10))[0]}", section=section) from error
    return builder.root


class _Builder:
    """Puts a document together from the parser's events."""

    def __init__(self, section: str) -> None:
        self.root: _Value = None
        self._section = section
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[_Value, int]] = {}
        self._count = 0

    def take(self, event: yaml.Event) -> bool:
        """Take the next event; True at the end of the document."""
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= _DEEPEST:
                raise TooLargeError(f"it is nested more than {_DEEPEST} deep", section=self._section)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            self._open.append(_Open({} if is_mapping else [], event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self._open.pop()
            if isinstance(done.value, dict):
                done.value = {**done.merged, **done.value}
            self._put(done.value, done.anchor, done.size)
        elif isinstance(event, yaml.ScalarEvent):
            self._put(_scalar(event), event.anchor, 1)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise CorruptError(f"the alias {event.anchor[:80]!r} names nothing", section=self._section)
            self._put(*self._anchors[event.anchor][:1], None, self._anchors[event.anchor][1])
        return isinstance(event, yaml.DocumentEndEvent)

    def _put(self, value: _Value, anchor: str | None, size: int) -> None:
        """A value that is whole goes where it belongs."""
        self._count += size
        if self._count > _MOST_VALUES:
            raise TooLargeError(f"more than {_MOST_VALUES:,} values", section=self._section)
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self.root = value
            return
        above = self._open[-1]
        above.size += size
        if isinstance(above.value, list):
            above.value.append(value)
        elif above.key is None:
            if isinstance(value, dict | list):
                raise UnsupportedError("a key that is a mapping or a list", section=self._section)
            above.key = str(value)
        else:
            self._set(above, value)

    def _set(self, above: _Open, value: _Value) -> None:
        key, above.key = above.key, None
        if key == _MERGE:
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict):
                    above.merged = {**part, **above.merged}
        elif isinstance(above.value, dict) and key is not None:
            above.value[key] = value


def _scalar(event: yaml.ScalarEvent) -> _Value:
    """A scalar's value by its form; whatever tag it bears, nothing but a plain value is made of it."""
    is_text = not event.implicit[0] and event.tag not in _SIMPLE
    if is_text or len(event.value) > _LONGEST_NUMBER:
        return event.value
    tag = event.tag if event.tag in _SIMPLE else _PLAIN.resolve(yaml.ScalarNode, event.value, (True, False))
    try:
        if tag in _SIMPLE:
            return _SIMPLE[tag](yaml.ScalarNode(tag, event.value))
    except (ValueError, OverflowError, KeyError, yaml.YAMLError):
        return event.value
    return parsed(event.value) if tag == _STRING else event.value
