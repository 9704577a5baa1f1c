"""CSVLogger beside a watched training: with append=False it would empty the history of a run that goes on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from waypoint_resume.log import LOG

_MARK = "_waypoint_appends"


def _is_csv_logger(callback: Any) -> bool:  # noqa: ANN401 - of either Keras
    return any(kind.__name__ == "CSVLogger" for kind in type(callback).__mro__) and hasattr(callback, "append_header")


def csv_files(callbacks: Iterable[Any]) -> frozenset[Path]:
    """The files that CSVLoggers write."""
    return frozenset(Path(os.path.realpath(item.filename)) for item in callbacks if _is_csv_logger(item))


def keep_history(callback: Any) -> None:  # noqa: ANN401
    """Before any on_train_begin: let a CSVLogger append, until it is known whether the run goes on."""
    if _is_csv_logger(callback) and not callback.append:
        callback.append = True
        setattr(callback, _MARK, True)


def begin_history(callback: Any) -> None:  # noqa: ANN401
    """After all on_train_begin, at a fresh start: empty the file of a CSVLogger that was to begin anew."""
    if not getattr(callback, _MARK, False):
        return
    callback.append = False
    delattr(callback, _MARK)
    callback.append_header = True
    callback.csv_file.close()
    callback.on_train_begin()  # which opens it as it was to be


def tell_history(callback: Any) -> None:  # noqa: ANN401
    """After all on_train_begin of a run that goes on: say that the file was kept."""
    if getattr(callback, _MARK, False):
        delattr(callback, _MARK)
        LOG.info("CSVLogger goes on with %s: append=False would have emptied it.", callback.filename)
