"""The last word: whether the library that restores a checkpoint reads every value of it, asked in a subprocess."""

from collections.abc import Callable
from typing import Any

from core.base.records import Checkpoint
from core.verify.results import RestoreAnswer, restore_of
from core.workers.process import Ending, converse

PROGRAM = "core.verify.trial_program"
SECONDS = 600.0  # for one value, and for the imports before the first


def try_restore(
    root_path: str, checkpoint: Checkpoint, *, cancelled: Callable[[], bool] = lambda: False
) -> RestoreAnswer:
    """Let TensorFlow, h5py or Orbax read every value. Blocks; what goes wrong is the answer."""
    ended = converse(
        PROGRAM, request_for(root_path, checkpoint), hear=lambda _message: None, cancelled=cancelled, silence=SECONDS
    )
    if ended.how is Ending.ANSWERED:
        try:
            return restore_of(ended.answer["result"])
        except (KeyError, TypeError, ValueError):
            return _failed("The trial gave an answer that makes no sense.")
    if ended.how is Ending.CANCELLED:
        return _failed("It was cancelled.")
    if ended.how is Ending.SILENT:
        return _failed(f"It hung: no value was read within {SECONDS:g} s.")
    return _failed("The library that restores it crashed while reading.")


def request_for(root_path: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the trial is asked."""
    return {
        "folder": f"{root_path}/{checkpoint.folder}" if checkpoint.folder else root_path,
        "name": checkpoint.path[len(checkpoint.folder) :].lstrip("/"),
        "format": checkpoint.format.value,
        "files": [file.name for file in checkpoint.files],
    }


def _failed(detail: str) -> RestoreAnswer:
    return RestoreAnswer(ok=False, library="", tensors=0, detail=detail)
