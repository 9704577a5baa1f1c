"""Keras 3's BackupAndRestore beside a watched training: it goes on saving, and no longer restores by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def leave_restoring(callback: Any, run: Path) -> None:  # noqa: ANN401 - of either Keras
    """Let a BackupAndRestore of Keras 3 whose data lie in the run restore nothing at the begin of fit(): they are among
    the checkpoints that a start chooses from. Elsewhere they are not, so it restores as without us.

    Its own restoring would load them over a pick, and a file that a kill cut would end every later fit(). Keras 2's
    keeps its former save until the new one is whole, and sets itself up while it restores: it stays as it is.
    """
    names = {kind.__name__ for kind in type(callback).__mro__ if kind.__module__.startswith("keras.src.callbacks.")}
    is_of_keras3 = "BackupAndRestore" in names and hasattr(callback, "_weights_path")  # Keras 2.15 has no such file
    if is_of_keras3 and run.resolve() in Path(callback.backup_dir).resolve().parents:
        callback.on_train_begin = _nothing


def _nothing(logs: Any = None) -> None:  # noqa: ANN401
    """In the place of a hook."""


def spare_backup(callback: Any) -> None:  # noqa: ANN401 - of either Keras
    """Let a BackupAndRestore delete nothing at the end of a fit() that is passed over: its data are a later one's."""
    if getattr(callback, "backup_dir", None) is None or not getattr(callback, "delete_checkpoint", False):
        return
    own = callback.on_train_end

    def keeping(logs: Any = None) -> None:  # noqa: ANN401
        callback.delete_checkpoint = False
        try:
            own(logs)
        finally:
            callback.delete_checkpoint = True
            callback.on_train_end = own

    callback.on_train_end = keeping
