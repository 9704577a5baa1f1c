"""JSON from untrusted files: truncated and corrupt told apart, depth bounded."""

import json
from typing import Any

from core.errors import CorruptError, TruncatedError

_LITERALS = ("true", "false", "null", "NaN", "-Infinity", "Infinity")


def parse(content: bytes, section: str) -> Any:  # noqa: ANN401 (JSON is anything; the caller checks)
    """A document's value. TruncatedError where it ends too early, CorruptError where it is no JSON."""
    if not content.strip():
        raise TruncatedError("it is empty", section=section, offset=0)
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        if _is_cut(error.doc[error.pos :].rstrip(), error.msg):
            raise TruncatedError("it ends in the middle", section=section, offset=at) from error
        raise CorruptError(f"no JSON: {error.msg}", section=section, offset=at) from error
    except UnicodeDecodeError as error:
        kind = TruncatedError if error.reason == "unexpected end of data" else CorruptError
        raise kind(f"no UTF-8: {error.reason}", section=section, offset=error.start) from error
    except RecursionError as error:
        raise CorruptError("it is nested too deep", section=section) from error
    except ValueError as error:  # a number of thousands of digits
        raise CorruptError(f"no JSON: {error}", section=section) from error


def _is_cut(rest: str, message: str) -> bool:
    """True if what stands from an error's place could go on: nothing, half a literal or number, a string."""
    if message.startswith("Unterminated string"):
        return True
    if message.startswith("Invalid \\uXXXX"):
        return len(rest) < 6
    return any(literal.startswith(rest) for literal in _LITERALS) or rest in (".", "e", "E", "e+", "e-", "E+", "E-")
