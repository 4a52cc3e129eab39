"""All trials, in the order of the page."""

from reliability.faults import kill
from reliability.trial import Trial

TRIALS: tuple[Trial, ...] = (kill.TRIAL,)
