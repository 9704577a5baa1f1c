"""JSON from untrusted files: truncated and corrupt told apart, depth bounded."""

import json
from typing import Any

from core.errors import CorruptError, TruncatedError


def parse(content: bytes, section: str) -> Any:  # noqa: ANN401 (JSON is anything; the caller checks)
    """A document's value. TruncatedError where it ends too early, CorruptError where it is no JSON."""
    if not content.strip():
        raise TruncatedError("it is empty", section=section, offset=0)
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
            raise TruncatedError("it ends in the middle", section=section, offset=at) from error
        raise CorruptError(f"no JSON: {error.msg}", section=section, offset=at) from error
    except RecursionError as error:
        raise CorruptError("it is nested too deep", section=section) from error
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise CorruptError(f"no JSON: {error}", section=section) from error
