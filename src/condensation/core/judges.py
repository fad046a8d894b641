"""How the same sets may be judged in several ways, and what the results are called.

A protocol may be judged under a condition, a change of it that ``judge.conditions`` in params.yaml names; the result
goes by the name of both, ``standard.no_augmentation``.
"""

KERAS = "keras"
"""The protocol of the judge in TensorFlow, the cross-check of the others."""

NO_AUGMENTATION = "no_augmentation"
"""The condition that a set is seen as it is stored."""

LEARNED_STEP_SIZE = "learned_step_size"
"""The condition that networks are trained with the step size that the set learned."""

_MARK = "."


def under(protocol: str, condition: str) -> str:
    """The name of results under a protocol, or under a condition of it where there is one."""
    return f"{protocol}{_MARK}{condition}" if condition else protocol


def parted(name: str) -> tuple[str, str]:
    """(protocol, condition or nothing) of a name that ``under`` gave."""
    protocol, _, condition = name.partition(_MARK)
    return protocol, condition
