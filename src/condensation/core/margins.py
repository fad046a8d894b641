"""How sure a network is of a label."""

import numpy as np


def own_margin(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Logit of the own class less the best other one: (n, classes), (n,) to (n,)."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    margins: np.ndarray = logits[rows, labels] - others.max(1)
    return margins
