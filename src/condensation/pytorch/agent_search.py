"""An agent's learning rate and exploration decay, found by Optuna inside a stated number of short trials.

The ranges are the authors' (learning rate 1e-4..1e-2 on a logarithmic scale, decay 0.95..0.999). The parameters as they
are come first. A trial trains a fresh agent for some episodes; its score is the mean reward of an episode of what it
then thinks best. Trials run one after the other, and a resumed search asks for them again in the same order.
"""

from collections.abc import Callable

import optuna
from pydantic import Field

from condensation.core.params import Section
from condensation.core.randomness import derive
from condensation.core.runlog import RunLog
from condensation.pytorch.agents import AgentParams, Algorithm, Learner
from condensation.pytorch.sample_environment import SampleEnvironment


class SearchParams(Section):
    """The budget, and the ranges, whose defaults are the authors'. episodes: of each trial."""

    trials: int = Field(ge=1)
    episodes: int = Field(ge=1)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    exploration_decay: tuple[float, float] = (0.95, 0.999)


def search(
    environment: SampleEnvironment,
    algorithm: Algorithm,
    params: AgentParams,
    search: SearchParams,
    seed: int,
    *,
    scores: list[float],
    log: RunLog,
    keep: Callable[[], None],
) -> AgentParams:
    """``params`` with the learning rate and the decay of the best trial.

    scores: of the trials that are done; grows by one for each, and ``keep`` is called after it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=derive(seed, "sampler") % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({name: getattr(params, name) for name in ("learning_rate", "exploration_decay")})
    for number in range(search.trials):
        trial = study.ask()
        rate = trial.suggest_float("learning_rate", *search.learning_rate, log=True)
        decay = trial.suggest_float("exploration_decay", *search.exploration_decay)
        tried = params.model_copy(update={"learning_rate": rate, "exploration_decay": decay})
        if number == len(scores):
            scores.append(_score(environment, algorithm, tried, search.episodes, derive(seed, "trial", number)))
            log.metrics(number + 1, trial_reward=scores[-1], trial_learning_rate=rate, trial_exploration_decay=decay)
            log.progress(number + 1, search.trials, f"search of {algorithm}, reward {max(scores):.3f}")
            keep()
        study.tell(trial, scores[number])
    return params.model_copy(update=study.best_params)


def _score(
    environment: SampleEnvironment, algorithm: Algorithm, params: AgentParams, episodes: int, seed: int
) -> float:
    learner = Learner(environment, algorithm, params, seed)
    for number in range(episodes):
        learner.episode(number)
    return learner.greedy()["reward"]
