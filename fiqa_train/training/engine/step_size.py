"""The course of the step size: a linear rise, then a cosine, waves of it, a polynomial or drops."""

import math

from synfiqa.schemas.config.train_config import TrainSection


def share(section: TrainSection, step: int, steps: int) -> float:
    """Return the share of `learning_rate` at a step (from 0) of all `steps`.

    It rises linearly over `warm_up` of the steps, then falls as `schedule` says; drops count in epochs.
    """
    rise = max(1, round(section.warm_up * steps)) if section.warm_up else 0
    if step < rise:
        return (step + 1) / rise
    if section.schedule == "constant":
        return 1.0
    if section.schedule == "steps":
        epoch = step * section.epochs / steps
        return section.drop_factor ** sum(epoch >= drop for drop in section.drops)
    if section.schedule == "waves":
        return 0.5 * (1 + math.cos(math.pi * (step - rise) / section.wave_steps))
    done = (step - rise) / max(1, steps - rise)
    if section.schedule == "polynomial":
        return max(0.0, 1 - done) ** section.power
    return 0.5 * (1 + math.cos(math.pi * done))
