"""`saved_model.pbtxt`, a SavedModel message as text: whether it is whole, and what it says beside its graph.

Braces are counted and a few fields looked for; it is never parsed into a graph. Format:
https://protobuf.dev/reference/protobuf/textformat-spec/.
"""

import re
from typing import NamedTuple

from core.base.errors import CorruptError, TruncatedError

TEXT = "saved_model.pbtxt"
MAX_TEXT = 64 << 20  # bytes; of a longer one only that it is there is known
_STRING = r'"(?:[^"\\\n]|\\.)*"|' + r"'(?:[^'\\\n]|\\.)*'"
_TOKEN = re.compile(rf"{_STRING}|#[^\n]*|[{{}}\"'<>]")
_GRAPHS = re.compile(r"\s*(?:#[^\n]*\s*)*(?:saved_model_schema_version\s*:\s*\d+\s*)?meta_graphs\s*:?\s*[{<]")
_RESTORED = re.compile(r"^\s*(?:object_graph_def|saver_def)\s*\{", re.MULTILINE)
_ASSET = re.compile(r'^\s*asset_file_def\s*\{.*?^\s*filename: "([^"\\]*)"', re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r'^\s*tensorflow_version: "([^"\\]{1,100})"', re.MULTILINE)


class Told(NamedTuple):
    """TensorFlow's version, the assets' names, whether TensorFlow restores variables beside it."""

    version: str | None
    assets: tuple[str, ...]
    has_variables: bool


def read(content: bytes) -> Told:
    """What a text says. Raises a FormatError for one that ends in its middle, or is none of a SavedModel."""
    if not content.strip():
        raise TruncatedError("the file is empty", section=TEXT, offset=0)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise CorruptError(f"no UTF-8: {error.reason}", section=TEXT, offset=error.start) from error
    if _GRAPHS.match(text) is None:
        raise CorruptError("it does not begin with a graph", section=TEXT, offset=0)
    _check_braces(text)
    version = _VERSION.search(text)
    return Told(version and version[1], tuple(_ASSET.findall(text)), _RESTORED.search(text) is not None)


def _check_braces(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in ('"', "'"):
            raise CorruptError("a string has no end", section=TEXT, offset=len(text[: token.start()].encode()))
        depth += (mark in ("{", "<")) - (mark in ("}", ">"))
        if depth < 0:
            raise CorruptError("it ends before its last line", section=TEXT, offset=len(text[: token.start()].encode()))
    if depth:
        raise TruncatedError("it ends in the middle of a graph", section=TEXT, offset=len(text.encode()))
