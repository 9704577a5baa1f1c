"""TensorFlow takes the path of a checkpoint for a glob pattern, and what it does not match for absent.

It is POSIX' fnmatch: `*` and `?` do not cross a slash, a backslash quotes, `[…]` is one of some characters. So a path
with a whole pair of brackets, or with a backslash, does not match itself; stars and question marks do. Source:
tensorflow/core/platform/file_system_helper.cc; tests compare with TensorFlow.
"""

import re

_SPECIAL = re.compile(r"[*?\[\\]")


def is_found(path: str) -> bool:
    """Whether a path matches itself as a pattern."""
    if not _SPECIAL.search(path):
        return True
    pattern = expression(path)
    return pattern is not None and pattern.fullmatch(path) is not None


def is_pattern(path: str) -> bool:
    """Whether a path holds a character that is special in a pattern."""
    return _SPECIAL.search(path) is not None


def expression(glob: str) -> re.Pattern[str] | None:
    """A glob as an expression; None for a range that is none, which matches nothing."""
    parts = re.split(r"(\\.|\*|\?|\[[!^]?\]?[^\]]*\])", glob, flags=re.DOTALL)
    try:
        return re.compile("".join(_translate(part) for part in parts), re.DOTALL)
    except re.error:
        return None


def _translate(part: str) -> str:
    if part in ("*", "?"):
        return "[^/]*" if part == "*" else "[^/]"
    if part.startswith("\\") and len(part) == 2:
        return re.escape(part[1])
    if part.startswith("[") and part.endswith("]") and len(part) > 2:
        inner = part[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
    return re.escape(part)
