"""Errors of the core: one base, and for readers of untrusted bytes three kinds that are told apart."""

from core.base.names import printable


class CoreError(Exception):
    """Base of every error that Waypoint raises on purpose; its text is meant for people."""


class SettingsError(CoreError, ValueError):
    """Settings are wrong; the text names each key, its value and what is allowed."""


class FormatError(CoreError):
    """A file is not what its format demands.

    `section` names the part of the file (footer, data block, tensor entry …), `offset` is the byte offset
    in that file where it was noticed, or None where the format tells none.
    """

    kind = "corrupt"

    def __init__(self, message: str, *, section: str, offset: int | None = None) -> None:
        self.message = printable(message)
        self.section = printable(section)
        self.offset = offset
        super().__init__(str(self))

    def __str__(self) -> str:
        place = self.section if self.offset is None else f"{self.section} at byte {self.offset:,}"
        return f"{place}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.section, self.offset))


def _rebuild(kind: type[FormatError], message: str, section: str, offset: int | None) -> FormatError:
    """Unpickle a FormatError (worker processes hand them back)."""
    return kind(message, section=section, offset=offset)


class TruncatedError(FormatError):
    """The file ends before what it promises."""

    kind = "truncated"


class CorruptError(FormatError):
    """The bytes contradict the format or their checksum."""

    kind = "corrupt"


class UnsupportedError(FormatError):
    """A valid file in a form that Waypoint does not read."""

    kind = "unsupported"


class TooLargeError(FormatError):
    """Reading on would cost more than one file may cost."""

    kind = "too-large"


class CrashedError(FormatError):
    """The native library that reads this format crashed or hung on this file."""

    kind = "crashed"


class HungError(CrashedError):
    """The native library did not answer in time: it turns in circles, or the file takes more than it may."""

    kind = "hung"


class NotFoundError(CoreError, LookupError):
    """A run, checkpoint or root that was asked for does not exist."""


class AmbiguousError(CoreError, LookupError):
    """A run was named in a way that fits several; the text lists them."""


class BusyError(CoreError):
    """Another process holds the lock; the text names the holder."""


class CatalogError(CoreError):
    """The catalog cannot be used; the text says why and what to do."""


class CatalogFullError(CatalogError):
    """The disk of the home takes nothing more, so that the catalog cannot be written."""


class NotRestorableError(CoreError):
    """Nothing that could be resumed, with the reasons."""


class PlaceError(CoreError):
    """A path that would lead out of the run's folder, or something there that is no plain file or folder."""


class ReadOnlyError(CoreError):
    """The run's folder cannot be written and no other place was configured."""
