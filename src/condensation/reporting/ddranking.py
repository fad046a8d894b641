"""DD-Ranking's scores, which tell the images of a condensed set from the tricks that it is trained with.

Li et al., "DD-Ranking: Rethinking the evaluation of dataset distillation", arXiv 2505.13300, the definitions of the
label-robust score (LRS) and the augmentation-robust score (ARS). All accuracies are fractions, 0..1: in percent, the
exponential would drown everything else.
"""

import math

WEIGHT = 0.5
"""How both parts of a score are weighed, w and gamma in the paper; one half on its leaderboard."""


def hard_label_recovery(whole_hard: float, set_hard: float) -> float:
    """HLR = acc(real, hard) - acc(set, hard): what is lost against the whole training set; the smaller the better."""
    return whole_hard - set_hard


def improvement_over_random(set_any: float, random_any: float) -> float:
    """IOR = acc(set, any) - acc(random, any): gain over random images, both with the set's own labels and tricks."""
    return set_any - random_any


def label_robust_score(improvement: float, recovery: float, weight: float = WEIGHT) -> float:
    """LRS of alpha = w IOR - (1 - w) HLR, between 0 and 1."""
    return normalised(weight * improvement - (1 - weight) * recovery)


def augmentation_robust_score(
    set_augmented: float, random_augmented: float, set_plain: float, random_plain: float, weight: float = WEIGHT
) -> float:
    """ARS of beta = gamma (gain over random with augmentation) + (1 - gamma) (gain without), between 0 and 1."""
    return normalised(weight * (set_augmented - random_augmented) + (1 - weight) * (set_plain - random_plain))


def normalised(difference: float) -> float:
    """(e^x - e^-1) / (e - e^-1) of a difference of accuracies x, -1..1: 0 at -1, 1 at 1 and 0.269 at 0."""
    return (math.exp(difference) - math.exp(-1)) / (math.e - math.exp(-1))
