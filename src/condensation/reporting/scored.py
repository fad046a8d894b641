"""Scores that make methods comparable whatever their tricks: of one result, from how its sets were judged otherwise."""

from collections.abc import Sequence
from typing import Any

from condensation.core.judges import KERAS, LEARNED_STEP_SIZE, NO_AUGMENTATION, parted, under
from condensation.core.results import JudgedCell
from condensation.reporting.ddranking import (
    augmentation_robust_score,
    hard_label_recovery,
    improvement_over_random,
    label_robust_score,
)
from condensation.reporting.display import RANDOMS, WHOLE
from condensation.reporting.storage import LABELS, Sizes

DD_RANKING = ["hard_label_recovery", "improvement_over_random", "label_robust_score", "augmentation_robust_score"]
OTHERWISE = ["accuracy_no_augmentation", "loss_without_augmentation", "accuracy_learned_step_size", "accuracy_keras"]
ACROSS = ["cross_architecture_mean", "cross_architecture_networks"]
BYTES = ["image_bytes", "label_bytes"]
SCORES = [*DD_RANKING, *OTHERWISE, *ACROSS, *BYTES]
KERAS_NETWORK = "evaluation_convnet"

Columns = dict[str, Any]


class Judged:
    """Judged cells, found by what they are and how they were judged."""

    def __init__(self, cells: Sequence[JudgedCell]) -> None:
        self._cells = {self._key(cell): cell for cell in cells}

    @staticmethod
    def _key(cell: JudgedCell, **changes: Any) -> tuple[Any, ...]:
        names = ("dataset", "method", "images_per_class", "label_kind", "protocol", "network")
        return tuple(changes.get(name, getattr(cell, name)) for name in names)

    def like(self, cell: JudgedCell, **changes: Any) -> JudgedCell | None:
        """The cell that differs from ``cell`` by these changes alone, or None when it was not judged."""
        return self._cells.get(self._key(cell, **changes))

    def random(self, cell: JudgedCell) -> JudgedCell | None:
        """The random selection of the same size and kind of labels under the same judge."""
        return self.like(cell, method=RANDOMS.get(cell.label_kind, ""))

    def by_other_networks(self, cell: JudgedCell) -> list[JudgedCell]:
        """The same sets under the same protocol, by every network but the cell's own."""
        wanted = self._key(cell, network="")
        others = [other for other in self._cells.values() if self._key(other, network="") == wanted]
        return [other for other in others if other.network != cell.network]


def score_columns(cell: JudgedCell, judged: Judged, whole: JudgedCell | None, sizes: Sizes | None) -> Columns:
    """The columns ``SCORES`` of one result, as far as they were measured.

    whole: the whole training set, judged likewise. sizes: bytes of the set's arrays. Whole training sets, and results
    under a condition or by the Keras judge, have none: they are what the scores of others are made of.
    """
    protocol, condition = parted(cell.protocol)
    if cell.method == WHOLE or condition or protocol == KERAS:
        return {}
    ranking = dd_ranking(cell, judged, whole)
    return {**ranking, **otherwise(cell, judged), **across(cell, judged), **byte_columns(cell, sizes)}


def dd_ranking(cell: JudgedCell, judged: Judged, whole: JudgedCell | None) -> Columns:
    """DD-Ranking's scores; see ``ddranking``. Gains over random are paired by the sets' seeds.

    A set with soft labels has a hard-label recovery where it was judged by its hard labels too.
    """
    hard, random = judged.like(cell, label_kind="hard"), judged.random(cell)
    found: Columns = {}
    if hard is not None and whole is not None:
        found["hard_label_recovery"] = hard_label_recovery(mean_of(whole), mean_of(hard))
    pair = None if random is None or cell.method in RANDOMS.values() else paired(cell, random)
    if pair is None or random is None:
        return found
    found["improvement_over_random"] = improvement_over_random(*pair)
    if "hard_label_recovery" in found:
        found["label_robust_score"] = label_robust_score(found["improvement_over_random"], found["hard_label_recovery"])
    plain = [judged.like(one, protocol=under(cell.protocol, NO_AUGMENTATION)) for one in (cell, random)]
    if plain[0] is not None and plain[1] is not None and (plain_pair := paired(plain[0], plain[1])):
        found["augmentation_robust_score"] = augmentation_robust_score(*pair, *plain_pair)
    return found


def mean_of(cell: JudgedCell) -> float:
    """A cell's mean accuracy as a fraction, its networks averaged within each set first."""
    return cell.spread().mean / 100


def paired(cell: JudgedCell, other: JudgedCell) -> tuple[float, float] | None:
    """Mean accuracies of two cells as fractions, over the seeds that both have; None where there is none."""
    mine, its = cell.set_means(), other.set_means()
    seeds = [seed for seed in mine if seed in its]
    if not seeds:
        return None
    return sum(mine[s] for s in seeds) / len(seeds) / 100, sum(its[s] for s in seeds) / len(seeds) / 100


def otherwise(cell: JudgedCell, judged: Judged) -> Columns:
    """Accuracies of the same sets, judged otherwise; the loss without augmentation is in points, paired by set."""
    plain = judged.like(cell, protocol=under(cell.protocol, NO_AUGMENTATION))
    stepped = judged.like(cell, protocol=under(cell.protocol, LEARNED_STEP_SIZE))
    keras = judged.like(cell, protocol=KERAS, network=KERAS_NETWORK)
    found: Columns = {}
    if plain is not None:
        found["accuracy_no_augmentation"] = plain.spread().mean
        if loss := cell.gain_over(plain):
            found["loss_without_augmentation"] = loss.mean
    if stepped is not None:
        found["accuracy_learned_step_size"] = stepped.spread().mean
    if keras is not None:
        found["accuracy_keras"] = keras.spread().mean
    return found


def across(cell: JudgedCell, judged: Judged) -> Columns:
    """The mean accuracy by the networks that are not the cell's own, and their names."""
    others = judged.by_other_networks(cell)
    if not others:
        return {}
    mean = sum(other.spread().mean for other in others) / len(others)
    names = " ".join(sorted(other.network for other in others))
    return {"cross_architecture_mean": mean, "cross_architecture_networks": names}


def byte_columns(cell: JudgedCell, sizes: Sizes | None) -> Columns:
    """Bytes of the images as they are stored, and of the labels that the networks were told."""
    if sizes is None:
        return {}
    return {"image_bytes": sizes.get("images"), "label_bytes": sizes.get(LABELS[cell.label_kind])}
