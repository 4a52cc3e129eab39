"""What agents say to customers, as patterns: what they ask for, report, refuse, and how a yes is asked for.

The scripted customer's whole vocabulary, in tables one can read aloud: TOPICS (what can be asked for),
SIGNALS (what a message does: reports, refuses, says goodbye), and below them the forms in which agents ask.
What is held against them are clauses as `envs.retail.hearing` cuts them: lower case, quotes and hyphens
plain, no markdown. Every pattern has bounded repetition.

    TOPICS["zip"].search("may i have your zip code?")
"""

import re


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# What an agent can ask for.
TOPICS: dict[str, re.Pattern[str]] = {
    "name": _any(r"(?<!product )(?<!item )(?<!user )(?<!user)(?<!maiden )(?<!pet )\bnames?\b(?! of)"),
    "zip": _any(r"\bzip\b", r"\bzip ?codes?\b", r"\bpost(?:al)? ?codes?\b"),
    "email": _any(r"(?<!confirmation )(?<!receive an )(?<!get an )\be-?mail\b"),
    "user_id": _any(r"\b(?:user|customer|account|profile)[ _-]?(?:id|number|name)\b", r"\busername\b"),
    "identity": _any(
        r"\bidentity\b",
        r"\bidentify you",
        r"\bauthenticat",
        r"\bverify (?:you\b|yourself|who you|your account|your details)",
        r"\bwho (?:am i|are you)\b",
        r"\b(?:find|locate|look up|access) your (?:account|profile|details)\b",
        r"\b(?:account|personal|identifying) (?:details|information)\b",
    ),
    "order": _any(
        r"\border(?:'s)? ?(?:(?:numbers?|ids?|reference)\b|no\.)",
        r"\b(?:which|what)(?: of your| specific| exact)? orders?\b",
        r"\b(?:ids?|numbers?) (?:of|for) (?:the|your|this|that|each) orders?\b",
        r"\b(?:provide|share|specify|tell me|give me|need) (?:the|your) orders?\b",
        r"^\W*(?:your |the )?orders?\W*$",
    ),
    "reason": _any(r"\breasons?\b", r"\bwhy\b", r"\bno longer need", r"\bby mistake\b"),
    "payment": _any(
        r"\bpayments?\b",
        r"\b(?:gift|credit|debit|which|what|other) cards?\b",
        r"\bpaypal\b",
        r"\brefund (?:method|option|go|to)\b",
        r"\brefund\b.{0,30}\b(?:to|on|onto|into) (?:your|the|a|an|which|what)\b",
        r"\b(?:be refunded|(?:get|receive|want|like|send|issue)(?: your| the| a)? (?:refund|money))\b",
        r"\bpay\b",
    ),
    "address": _any(
        r"\b(?:new|shipping|delivery|full|complete|default|street|mailing|home|current|updated|correct|right|your"
        r"|the|which|what|different|another|exact|entire)(?: new| shipping| full| street| default)?"
        r" address(?:es)?\b",
        r"(?<!mail )\baddress(?:es)? (?:details|line|should|would|do|to|for)\b",
        r"^\W*(?:new )?address\W*$",
        r"\bstreet\b.{0,30}\bcity\b",
        r"\bwhere (?:should|would|do|shall) .{0,40}\b(?:ship|sent|send|deliver)",
    ),
    "items": _any(
        r"\b(?:which|what|specific|exact|list|the|each|all|your|new|other|replacement|preferred|desired|name"
        r"|available|following|different|these)"
        r" (?:the |of the |specific |exact |other |new |replacement |product |item )?"
        r"(?:items?|products?|variants?|options?|sizes?|colou?rs?|features?|models?|versions?|style|material"
        r"|specifications?|replacement)\b",
        r"\bitem ids?\b",
        r"^\W*(?:the )?(?:new )?(?:items?|options?|variants?)\b",
        r"\bwhat (?:would|do|did|should|changes?|modifications?|kind)\b.{0,60}"
        r"\b(?:exchange|change|replace|swap|modify|return|modifications?|changes?|instead|prefer)\b",
        r"\b(?:exchange|replace|swap|change|modify) (?:it|them|this|that|these|those)? ?(?:for|with|to)\b",
        r"(?<!payment )\bpreferences?\b",
    ),
    "wish": _any(
        r"\bhow (?:can|may|could|might) (?:i|we) (?:help|assist|be of)",
        r"\bwhat (?:can|may|could) (?:i|we) (?:do|help|assist)",
        r"\bwhat (?:would|do|did|can|is it) you(?:'d)? (?:like|want|need|wish)",
        r"\bwhat (?:would|do|did) you (?:like|want|need|wish)",
        r"\bhow would you like (?:me )?to (?:proceed|continue|handle)",
        r"\bwhat (?:is|'s|was) (?:your|the) (?:request|issue|problem|question)",
        r"\b(?:your|the) request\b",
        r"\bwould you (?:prefer|rather)\b",
        r"\bwhat brings you\b",
    ),
}
IDENTITY = frozenset({"name", "zip", "email", "user_id"})
CHOSEN = frozenset({"payment", "items", "reason", "order"})  # "PayPal or gift card are possible. Which one?"

_STAFF = (
    r"(?:human|agent|representative|specialist|person|team|colleague|department|supervisor|support|someone)"
)
_ACTS = (
    r"(?:cancel|updat|modif|return|exchang|chang|submit|request|refund|initiat|complet|credit|switch|replac"
    r"|process|issu|approv|arrang)\w*"
)

# What a clause does, whether or not it asks.
SIGNALS: dict[str, re.Pattern[str]] = {
    "handed over": _any(
        r"\b(?:i'm|i am|i'll|i will|i've|i have|we're|we are|we will|let me|you are|you're|you will be"
        r"|you have been|you've been)(?! not| unable)(?: \w+){0,3}?"
        r" (?:(?:transfer|connect|escalat|forward)\w*"
        r"|hand(?:ing|ed)?)\b.{0,60}\b" + _STAFF + r"\b",
        r"\byou (?:are|will) be(?:ing)? transferred\b",
        r"^\W*transferring you\b",
    ),
    "hand-over offered": _any(
        r"\b(?:transfer|connect|escalat|hand|speak|talk)\w*\b.{0,60}\b" + _STAFF + r"\b",
        r"\btransfer(?:red)? you\b",
    ),
    "anything else": _any(
        r"\banything (?:else|more|further)\b",
        r"\bsomething else\b",
        r"\bwhat else\b",
        r"\bhow else\b",
        r"\b(?:any |some )?(?:other|further|more|additional) "
        r"(?:questions?|requests?|concerns?|help|assistance|issues?)\b",
        r"\bif you (?:have|need|want|require|would like) (?:any|further|more|other|additional|assistance)\b",
        r"\bfeel free\b",
        r"\bdo(?:n't| not) hesitate\b",
        r"\bcan i (?:help|assist) (?:you )?with any\b",
    ),
    "all of it": _any(  # "is that all?" before a step that can be taken only once
        r"\bany (?:other|more|further|additional) (?:items?|products?|changes?|modifications?|orders?)\b",
        r"\ball(?: of)?(?: the)? (?:items?|products?|changes|modifications) (?:that )?you\b",
        r"\b(?:is (?:that|this)|are (?:those|these|they)) (?:all|everything)\b",
        r"\b(?:anything|something) else (?:in|from|on|about) (?:this|the|that|your) order\b",
        r"\b(?:anything|something) else (?:that )?(?:you(?:'d| would)? (?:like|want|wish|need)|to be|you'd)"
        r".{0,20}\b(?:change|modif|exchange|return|include|add|update)",
    ),
    "done": _any(
        r"\b(?:has|have|was|were) (?:now |already |all )?(?:been )?(?:successfully )?" + _ACTS,
        r"\bsuccessfully (?!verif|authent|locat|found|identif|confirm|logg|retriev|match)",
        r"\b(?:i've|i have|we've|we have) (?:now |just |also |already )?" + _ACTS,
        r"(?:\bis|\bare|'s) (?:now |all )?"
        r"(?:cancelled|canceled|updated|completed?|set|done|submitted|changed)\b",
        r"\b(?:all set|all done|taken care of)\b",
        r"^\W*done\b",
    ),
    "refused": _any(
        r"\bunfortunately\b",
        r"\b(?:unable|not able) to\b",
        r"\b(?:cannot|can't|can not|could not|couldn't|won't (?:be able|allow|let|work))\b",
        r"(?:\bnot|n't) (?:currently |be )?(?:possible|available|allowed|permitted|eligible|supported|enough"
        r"|sufficient|in stock|cancell|modif|change|exchange|return|cover|have enough|offer)",
        r"\b(?:unavailable|out of stock|impossible|insufficient|no longer available|ineligible)\b",
        r"\bagainst (?:our|the|company) polic",
    ),
    "goodbye": _any(
        r"\bhave a (?:great|good|nice|wonderful|lovely|pleasant)\b",
        r"\b(?:good-?bye|take care|you're (?:very |most )?welcome|you are welcome)\b",
        r"\bglad (?:i|we|to)\b.{0,20}\b(?:help|assist)",
        r"\bthank you for (?:contacting|choosing|shopping|your patience|reaching)\b",
    ),
    "not found": _any(
        r"(?:\bunable to|\bcannot|\bcan't|\bcouldn't|\bcould not|\bdid not|\bdidn't) "
        r"(?:find|locate|verify|identify|match|authenticate)\b.{0,40}"
        r"\b(?:account|you|user|profile|customer|details|information|identity)\b",
        r"\bno (?:account|user|customer|profile)\b.{0,30}\b(?:found|match)",
    ),
}

# Warnings and look-ups read like refusals or reports, but are neither.
WARNING = _any(
    r"\bonce\b",
    r"\bundone\b",
    r"\breversed?\b",
    r"\bplease note\b",
    r"\bkeep in mind\b",
    r"\bafter(?:wards?)?\b",
)

_WH = r"(?:what|which|why|how|where|who)\b"
NEEDED_FIRST = (
    r"\b(?:cannot|can't|can not|unable to|not able to) (?:proceed|continue|help|assist|go on|do)\b"
    r".{0,40}\b(?:without|until|unless)\b"
)
ASKS = _any(
    r"\?",
    r"^(?!.*\b(?:moment|wait|hold|minute|second|patien))(?=.{0,80}$).*\b(?:please|pls|plz)\W*$",
    r"\b(?:provide|share|tell me|let me know|specify|give me|send me|enter|choose|select|confirm|verify"
    r"|indicate|state|clarify|list|supply|reply|answer|respond|advise|approve)\b",
    r"\b(?:could|can|would|will|may) (?:you|i have|i get|i ask)\b",
    r"\bi(?:'ll| will| would|'d)?(?: also| just| first| still)? (?:need|require)(?! to\b)",
    r"\b(?:need|have|like) to (?:verify|authenticate|identify|confirm|know)\b",
    NEEDED_FIRST,
    r"^\W*(?:(?:and|also|so|next|now|first|then|finally|lastly|please)\W+)?" + _WH,
)
# "I can confirm that ...", "to verify you": the agent speaks of itself and asks nothing by it.
OF_ITSELF = re.compile(
    r"\b(?:i|we)(?:'ll|'ve|'d| can| will| could| have| was able to| were able to| am able to| must| do)?"
    r"(?: \w+ly| also| now| just| first| then| hereby)? "
    r"(?:confirm|verif|provid|shar|list|select|check|specif|stat|indicat)\w*\b"
)

# A yes is wanted, whatever else the clause says ...
YES_OR_NO = _any(
    r"\byes ?(?:/|or|,) ?no\b",
    r"\by ?/ ?n\b",
    r"\b(?:reply|answer|respond|say|type|write|enter|send)\b.{0,25}\byes\b",
    r"\byes\b[\"')]*,? (?:to|and|if|so|before)\b",
    r"\bdo you (?:confirm|agree|approve|consent|authori[sz]e|accept)\b",
    r"\bdo i have your\b",
    r"\b(?:your|explicit|final) (?:explicit |final )?(?:confirmation|approval|consent|go-ahead|permission)\b",
    r"\b(?:is|are|does|do) (?:this|that|these|those|everything|it|all|the)\b.{0,60}"
    r"\b(?:correct|right|accurate|ok|okay|fine|good|acceptable|work for you)\b",
    r"\b(?:look|sound)s? (?:good|right|correct|ok|okay)\b",
    r"\bare you sure\b",
    r"(?<!how )\b(?:would you like|do you want|do you wish|shall i|should i|may i|can i|ready|happy"
    r"|ok|okay)\b"
    r".{0,20}\b(?:proceed|go ahead)\b",
    r"\bconfirm (?:that|if|whether|this|these|those|it|you|so|and|to|by|before|once|again|above)\b",
    r"\bconfirm (?:the|your|all) (?:cancel|return|exchange|refund|change|modif|update|details|request|above"
    r"|order (?!number|id|#)|address change|payment change|action|choice|intent|decision|transaction)",
    r"\b(?:approve|authori[sz]e) (?:this|these|the|it)\b",
    r"\bconfirm\W{1,3}(?:you|that|this|we)\b",
)
# ... or if it leaves no choice ("shall I cancel it?", not "which one shall I cancel?").
SHALL_I = _any(
    r"\b(?:shall|should|may|can|could) (?:i|we) (?!have|get|help|ask|know|assist|see|be )",
    r"\b(?:would|do) you (?:like|want|wish|need)(?: me)? to\b",
    r"\bwant me to\b",
    r"\bare you (?:ready|happy|ok|okay|comfortable|willing)\b",
    r"\bis it (?:ok|okay|alright)\b",
    r"\byou(?:'d| would)? (?:like|want|wish) .{0,200}\?",
)
CHOICE = _any(r"\bor\b", r"\b" + _WH)
WRITES = _any(
    r"\b(?:cancel|return|exchang|modif|updat|chang|replac|submit|proceed)\w*", r"\bgo ahead\b", r"#w\d"
)
INSTEAD = _any(r"\binstead\b", r"\balternativ", r"\brather\b")
STATED = re.compile(r"#w\d|_\d{4,}|@\w|\$ ?\d|:\s*\S|\b\d{5}\b|[\"'][^\"']{2,60}[\"']")
