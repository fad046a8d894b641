"""k-means: the images nearest to the centres of each class's clusters; the strongest cheap selection.

MacQueen, "Some methods for classification and analysis of multivariate observations", 1967; in a network's features,
as the initialisation of DREAM (Liu et al., ICCV 2023) and others.
"""

from pathlib import Path

from condensation.core.clusters import representatives
from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.params import Section
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.selection.features import choose_by_class


class Params(Section):
    """No choices; the seed decides the first centres and, through the teacher, the features."""


def condense(
    train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog, teacher: Path
) -> CondensedDataset:
    """One image for each of ``images_per_class`` clusters of each class, in the features of the seed's teacher."""
    first = derive(seed, "k-means")
    chosen = choose_by_class(train, teacher, lambda features: representatives(features, images_per_class, first))
    return CondensedDataset.of_selection(
        train, chosen, method="k_means", images_per_class=images_per_class, seed=seed, params=params
    )
