"""All trials, in the order of the page."""

from reliability.trial import Trial

TRIALS: tuple[Trial, ...] = ()
