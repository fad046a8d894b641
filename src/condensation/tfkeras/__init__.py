"""TensorFlow and Keras: the only room that imports them. Never in one process with PyTorch."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """What the C++ of TensorFlow prints while it is loaded heeds no setting; errors are raised, and still seen."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of one trace for each network, which is meant
with _silent_stderr():
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
