"""Tables as CSV that a spreadsheet takes for text and numbers, never for formulas (RFC 4180, UTF-8)."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence

import streamlit as st

# What a spreadsheet may take for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_bytes(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A head and its rows. Numbers stay numbers; a text that might be a formula gets an apostrophe before it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_cell(head) for head in heads])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def csv_button(name: str, heads: Sequence[str], rows: Callable[[], Iterable[Sequence[object]]]) -> None:
    """A button that downloads a table as `waypoint-NAME.csv`; the rows are asked for when it is pressed."""
    download("CSV", f"waypoint-{name}.csv", "text/csv", lambda: csv_bytes(heads, rows()))


def download(label: str, file_name: str, mime: str, make: Callable[[], bytes]) -> None:
    """A button that makes a file when it is pressed."""
    st.download_button(
        label, make, file_name=file_name, mime=mime, icon=":material/download:", key=file_name, on_click="ignore"
    )


def _cell(value: object) -> object:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
