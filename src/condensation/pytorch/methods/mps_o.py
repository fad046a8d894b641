"""MPS-o: a choice of CNN and of reinforcement-learning algorithm; the agent edits and replaces the samples of a set.

The MPS family's sixth system, which its authors left under development: six CNNs, four algorithms (DQN and PPO with
discrete actions, DDPG and TD3 with continuous ones), their learning rate and exploration tuned by Optuna, and a reward
of 0.5 similarity + 0.5 classification. Here the CNN is adapted to the images' size.

What the authors do not say and is decided here: an action may also put another image of a sample's cell in its place,
for by edits alone that reward is best where nothing is done; every sample of the set acts at each step, in one batch;
and the set that is kept is the best on held-out images, sample by sample. See sample_environment.py for states, actions
and reward.
"""

from condensation.core.condensed import CondensedDataset
from condensation.core.images import ImageSet
from condensation.core.runlog import RunLog
from condensation.pytorch.sample_system import SystemParams, condense_by


class Params(SystemParams):
    """Those of both systems."""


def condense(train: ImageSet, *, images_per_class: int, params: Params, seed: int, log: RunLog) -> CondensedDataset:
    """``images_per_class`` images of each class, chosen and edited by the agent; hard labels.

    Raises InputError when a class has too few images for the set beside the hold-out, or when memory would not do.
    """
    condensed, _ = condense_by(
        train, method="mps_o", images_per_class=images_per_class, params=params, seed=seed, log=log, adapted=True
    )
    return condensed
