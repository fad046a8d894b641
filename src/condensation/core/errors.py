"""The errors that say who can mend them: the person who called, or another try."""

from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used; the message names the value and what is allowed.

    The command line prints the message alone and ends with exit status 2.
    """


class ProcessDiedError(RuntimeError):
    """A process that works for this one is gone, killed perhaps for its memory; the work itself is not at fault."""


def one_of(what: str, value: object, allowed: Iterable[str]) -> InputError:
    """The error for a value outside a known set: ``unknown <what> 'x'; allowed: a, b``."""
    return InputError(f"unknown {what} {value!r}; allowed: {', '.join(sorted(allowed)) or 'none'}")
