"""On what the job's side is tried: for each Python the framework that is installed there, with pinned versions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One virtual environment: which Python makes it, what pip installs, and which frameworks train in it.

    A framework is what tests/support/train_job.py takes: keras, tf_keras or module; `forms` are those that each saves.
    """

    python: str
    packages: tuple[str, ...]
    backend: str
    forms: dict[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The folder's name, as in `python-3.9-tensorflow-2.17.1`."""
        return f"python-{self.python}-{self.packages[0].replace('==', '-')}"


KERAS_2 = ("manager", "keras", "weights", "h5", "tf-weights", "saved-model", "steps")
KERAS_3 = ("manager", "keras", "weights", "h5", "steps")
ORBAX = ("orbax",)
MODULE = ("module",)

ENVIRONMENTS = (
    Environment(
        python="3.9",
        packages=("tensorflow==2.17.1", "keras==3.10.0", "tf_keras==2.17.0"),
        backend="tensorflow",
        forms={"keras": KERAS_3, "tf_keras": KERAS_2, "module": MODULE},
    ),
    Environment(
        python="3.10",
        packages=("tensorflow==2.15.1", "keras==2.15.0"),
        backend="tensorflow",
        forms={"keras": KERAS_2, "module": MODULE},
    ),
    Environment(
        python="3.11",
        packages=("tensorflow==2.15.1", "keras==2.15.0"),
        backend="tensorflow",
        forms={"keras": KERAS_2, "module": MODULE},
    ),
    Environment(
        # tf_keras 2.18 makes no model on Python 3.12 after set_random_seed(): it calls randint(1, 1e9).
        python="3.12",
        packages=("tensorflow==2.18.1", "keras==3.8.0"),
        backend="tensorflow",
        forms={"keras": KERAS_3, "module": MODULE},
    ),
    Environment(
        python="3.13",
        packages=("tensorflow==2.21.0", "keras==3.15.1", "tf_keras==2.21.0", "orbax-checkpoint==0.12.8"),
        backend="tensorflow",
        forms={"keras": KERAS_3 + ORBAX, "tf_keras": KERAS_2, "module": MODULE},
    ),
    Environment(
        python="3.12",
        packages=("jax==0.10.2", "keras==3.15.1", "orbax-checkpoint==0.12.8"),
        backend="jax",
        forms={"keras": ("keras", "weights", "h5", "steps", *ORBAX)},
    ),
)
