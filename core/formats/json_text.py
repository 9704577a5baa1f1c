"""JSON from untrusted files: truncated and corrupt told apart, depth and number of values bounded."""

import json
import re
from typing import Any

from core.base.errors import CorruptError, TooLargeError, TruncatedError

MAX_MARKS = 1_500_000  # brackets, commas and colons: an empty object has two bytes in the file and 70 in memory
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a character, alone or with its other half
_LITERALS = ("true", "false", "null", "NaN", "-Infinity", "Infinity")


def parse(content: bytes, section: str, *, in_utf8: bool = True) -> Any:  # noqa: ANN401 (JSON is anything; the caller checks)
    """A document's value. TruncatedError where it ends too early, CorruptError where it is no JSON. Not `in_utf8`: in
    UTF-16 or UTF-32 too, as Python reads bytes.
    """
    if not content.strip():
        raise TruncatedError("it is empty", section=section, offset=0)
    marks = sum(map(content.count, (b",", b":", b"[", b"{")))
    if marks > MAX_MARKS:
        raise TooLargeError(f"more than {MAX_MARKS:,} brackets, commas and colons", section=section)
    try:
        encoding = "utf-8-sig" if in_utf8 else json.detect_encoding(content)
        found = json.loads(content.decode(encoding))
        if not encoding.startswith("utf-8") or _HALF.search(content):
            json.dumps(found, ensure_ascii=False).encode()  # half a character alone can be shown and stored nowhere
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        if _is_cut(error.doc[error.pos :].rstrip(), error.msg):
            raise TruncatedError("it ends in the middle", section=section, offset=at) from error
        raise CorruptError(f"no JSON: {error.msg}", section=section, offset=at) from error
    except UnicodeDecodeError as error:
        kind = TruncatedError if error.reason in ("unexpected end of data", "truncated data") else CorruptError
        raise kind(f"no {error.encoding.upper()}: {error.reason}", section=section, offset=error.start) from error
    except UnicodeEncodeError as error:
        raise CorruptError("half a character stands alone", section=section) from error
    except RecursionError as error:
        raise CorruptError("it is nested too deep", section=section) from error
    except ValueError as error:  # a number of thousands of digits
        raise CorruptError(f"no JSON: {error}", section=section) from error
    return found


def _is_cut(rest: str, message: str) -> bool:
    """True if what stands from an error's place could go on: nothing, half a literal or number, a string."""
    if message.startswith("Unterminated string"):
        return True
    if message.startswith("Invalid \\uXXXX"):
        return len(rest) < 6
    return any(literal.startswith(rest) for literal in _LITERALS) or rest in (".", "e", "E", "e+", "e-", "E+", "E-")
