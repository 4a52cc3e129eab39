"""All trials, in the order of the page."""

from reliability.faults import damage, endpoint, kill
from reliability.trial import Trial

TRIALS: tuple[Trial, ...] = (kill.TRIAL, damage.TRIAL, endpoint.TRIAL)
