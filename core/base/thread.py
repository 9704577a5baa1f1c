"""A daemon thread that sleeps until it is woken, and ends when it is asked to."""

import threading


class Background:
    """What the server's threads share. A subclass gives `_run`, which waits for `_wake` and ends when `_stopping`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._wake, self._stopping = threading.Event(), False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the thread to end and wait for it: it ends at its next step."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        raise NotImplementedError
