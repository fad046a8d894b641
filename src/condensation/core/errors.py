"""The one error that means: the person who called can mend this."""

from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used; the message names the value and what is allowed.

    The command line prints the message alone and ends with exit status 2.
    """


def one_of(what: str, value: object, allowed: Iterable[str]) -> InputError:
    """The error for a value outside a known set: ``unknown <what> 'x'; allowed: a, b``."""
    return InputError(f"unknown {what} {value!r}; allowed: {', '.join(sorted(allowed)) or 'none'}")
