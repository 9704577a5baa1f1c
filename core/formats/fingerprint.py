"""What a checkpoint's variables have in common: the fingerprint that makes a series, and sums over them."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from core.base.errors import CorruptError
from core.base.facts import Role, RoleBytes, Variable

_NUMBERED = re.compile(
    r"(?i)(?<![^/])(adadelta|adafactor|adagrad|adam|adamax|adamw|ftrl|lamb|lion|muon|nadam|rmsprop|sgd)_\d+(?![^/])"
)
LARGEST = 1 << 53  # bytes, values: beyond every checkpoint, and still exact in JSON and in every database


def check_sums(variables: Sequence[Variable], section: str) -> None:
    """CorruptError for sizes and shapes that no real checkpoint reaches, and that databases could not keep."""
    stored = [variable.bytes for variable in variables]
    counts = [variable.parameters for variable in variables]
    for numbers, what in ((stored, "sizes"), (counts, "shapes")):
        if numbers and not (min(numbers) >= 0 and sum(numbers) <= LARGEST):
            raise CorruptError(f"{what} below 0, or adding up to more than {LARGEST:,}", section=section)


def fingerprint(variables: Iterable[Variable]) -> str:
    """32 hexadecimal digits over the sorted (name, shape, dtype) of every variable; their order does not matter."""
    lines = sorted(repr((_told(variable), variable.shape, variable.dtype)) for variable in variables)
    return hashlib.blake2b("\n".join(lines).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _told(variable: Variable) -> str:
    """The variable's name, without the number that Keras gives to the second optimizer of its class in a process."""
    return _NUMBERED.sub(r"\1", variable.name) if variable.role is Role.OPTIMIZER else variable.name


def role_bytes(variables: Iterable[Variable]) -> RoleBytes:
    """Stored bytes summed by role."""
    sums = dict.fromkeys(Role, 0)
    for variable in variables:
        sums[variable.role] += variable.bytes
    return RoleBytes(weights=sums[Role.WEIGHT], optimizer=sums[Role.OPTIMIZER], other=sums[Role.OTHER])


def parameters(variables: Iterable[Variable]) -> int:
    """The number of trained and kept values: elements of weights only, optimizer state not counted."""
    return sum(variable.parameters for variable in variables if variable.role is Role.WEIGHT)
