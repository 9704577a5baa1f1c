"""A callback of either Keras that does nothing: one class for Keras 3 on any backend, tf-keras and Keras 2.

It has no base class of Keras, for it serves all of them; it has every hook that either of them calls.
"""

from __future__ import annotations

from typing import Any


class IdleCallback:
    """A callback of either Keras that does nothing: every hook that their loops call, and what Keras 2 asks first."""

    _supports_tf_logs = True  # so that Keras 2 does not fetch the logs for its sake
    model: Any = None

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any] | None) -> None:
        """Keras tells fit's arguments: verbose, epochs, steps."""
        self.params = params or {}

    def set_model(self, model: Any) -> None:  # noqa: ANN401
        """Keras tells the model, before any other hook."""
        self.model = model

    def _implements_train_batch_hooks(self) -> bool:
        return True

    def _implements_test_batch_hooks(self) -> bool:
        return True

    def _implements_predict_batch_hooks(self) -> bool:
        return False

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ANN401
        """Before the loop."""

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ANN401
        """After the loop, if nothing was raised."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """Before a batch, counted from 0 within the epoch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """After a batch."""

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ANN401
        """Before an evaluation, such as the validation of an epoch; metrics are reset after it."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        """After a batch of an evaluation."""

    def on_test_end(self, logs: Any = None) -> None:  # noqa: ANN401
        """After an evaluation."""

    def _other_hook(self, *_args: object, **_named: object) -> None:
        """Of the older names of the batch hooks, of evaluate() and predict() that nobody needs."""

    on_batch_begin = on_batch_end = _other_hook
    on_test_batch_begin = _other_hook
    on_predict_begin = on_predict_end = on_predict_batch_begin = on_predict_batch_end = _other_hook
