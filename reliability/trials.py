"""All trials, in the order of the page."""

from reliability.answers import ANSWERS
from reliability.faults import damage, endpoint, kill
from reliability.giants import GIANTS
from reliability.reading import PARSER
from reliability.recorded import RECORDED
from reliability.shop import SHOP
from reliability.tokens import TOKENS
from reliability.trial import Trial

TRIALS: tuple[Trial, ...] = (
    PARSER,
    TOKENS,
    ANSWERS,
    GIANTS,
    SHOP,
    RECORDED,
    kill.TRIAL,
    damage.TRIAL,
    endpoint.TRIAL,
)
