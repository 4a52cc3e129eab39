r"""Which number a solution answers with, and whether it is the right one: GSM8K's rule, made hard to fool.

    score("48 + 24 = 72\n#### 72", "… <<48+24=72>>72 clips.\n#### 72")       # 1.0
    score("So she sold 72 clips.", "72", strict=False)                        # 1.0

*Strict* (GSM8K's own rule): a line that ends in `#### <number>`. *Flexible*: the last number of the text.
Both name one number or none, compare exact fractions, take time that grows with the length of the text only,
and never evaluate anything. What is no number is passed over, never repaired. In the table `⏎` is a line
break, and `U+2212` the character of that number.

| solution | strict | flexible | why |
| --- | --- | --- | --- |
| `#### 18` | 18 | 18 | the public form |
| `6 * 3 = 18 #### 18` | 18 | 18 | the mark may follow text in its line |
| `#### 18⏎So it is 20 or so.` | 18 | 20 | strict reads the mark, flexible the end |
| `The answer is 18.` | none | 18 | strict needs the mark |
| `####18` | none | 18 | the public rule has a space |
| `##### 18` | none | 18 | five signs are another mark |
| `### 18` | none | 18 | so are three |
| `#### 17⏎#### 18` | none | 18 | two answers are none; public graders disagree on which counts |
| `#### 17 #### 18` | none | 18 | also in one line |
| `#### 18 ####` | 18 | 18 | a heading that is closed |
| `#### 18⏎#### 18.0` | 18 | 18 | the same number twice is one answer |
| `#### Step 2: add⏎#### 18` | 18 | 18 | a heading is no answer |
| `#### 1 2 3` | none | 3 | a list is no answer; the last number is one guess |
| `#### 1, 2, 18` | none | 18 | the same with commas |
| `#### 1,2,18` | none | none | written without spaces it is not even a number |
| `#### 18 or 20` | none | 20 | more than a number after the mark |
| `#### 18 dollars` | none | 18 | a unit, too; the public answers have none |
| `#### **18**` | none | 18 | bold, too |
| `#### twenty` | none | none | words are no numbers |
| `#### ` | none | none | nothing there |
| `####⏎18` | none | 18 | the number stands in the mark's line |
| `` | none | none | nothing at all |
| `#### $18` | 18 | 18 | the currency is left out |
| `#### -$18` | -18 | -18 | with its sign |
| `#### $-18` | -18 | -18 | in either order |
| `It costs $18$` | none | 18 | as LaTeX writes it |
| `\boxed{18}` | none | 18 | so is this |
| `#### 18%` | 18 | 18 | the per cent sign is left out, as in the public answers |
| `#### 1,234` | 1234 | 1234 | thousands |
| `#### 1,234,567.50` | 2469135/2 | 2469135/2 | and decimals |
| `#### 12,34` | none | none | commas stand before three digits |
| `#### 1234,567` | none | none | and after at most three |
| `#### 0,123` | none | none | of which the first is no zero |
| `#### 18.` | 18 | 18 | a full stop |
| `#### 18...` | 18 | 18 | several |
| `#### 18.0` | 18 | 18 | the same number |
| `#### 18.5` | 37/2 | 37/2 | exact, never rounded |
| `#### .5` | 1/2 | 1/2 | without the zero |
| `#### 007` | 7 | 7 | zeros in front |
| `#### -3` | -3 | -3 | a negative number |
| `#### U+22123` | -3 | -3 | with the unicode minus |
| `#### U+20133` | none | 3 | a dash is no minus |
| `#### +3` | 3 | 3 | a plus is nothing |
| `#### - 3` | none | 3 | a sign stands at its number |
| `#### 5-3` | none | 3 | a subtraction that was not carried out |
| `#### (2+6)-3` | none | 3 | the same behind a bracket |
| `#### 1/2` | 1/2 | 1/2 | a fraction |
| `#### 0.5` | 1/2 | 1/2 | is equal to the decimal |
| `#### 0.33` | 33/100 | 33/100 | which a third is not |
| `#### 36/2` | none | none | a division that was not carried out: only lowest terms are a number |
| `It is 18, not 20/2.` | none | 18 | and so the number before it is the last |
| `#### 1/0` | none | none | no number |
| `#### 1/2/3` | none | none | no number |
| `#### 1 1/2` | none | 1/2 | two numbers, of which the last is read |
| `#### 1180` | 1180 | 1180 | 18 is not hidden in it |
| `#### 3.14.15` | none | none | no number |
| `#### 12:30` | none | none | a time |
| `#### 18km` | none | none | no word ends or begins with an answer |
| `#### x18` | none | none | nor a name |
| `#### 18_000` | none | none | not Python's spelling |
| `#### 1e1` | none | none | no exponents |
| `#### 1e999999` | none | none | however large |
| `#### 1e-18` | none | none | or small |
| `#### 2**18` | none | 18 | powers are not carried out; the last number is a guess like any other |
| `#### inf` | none | none | what else Python would read |
| `#### 0x12` | none | none | the same |
| `#### U+FF11U+FF18` | none | none | only the digits 0 to 9 |
| `#### 12345678901234567890123456789012345678901` | none | none | more than 40 digits are no answer |
"""

import re
from fractions import Fraction
from math import gcd

MAX_CHARACTERS = 40  # of a whole or decimal number, or of each side of a fraction
MINUS = "\u2212"  # as typeset text has it

# No possessive quantifiers: early Python 3.11 forgets what they captured. What follows each number says where
# it ends, so nothing is read in two ways, and reading takes time that grows with the length of the text.
_WHOLE = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)"
_BODY = rf"(?:[0-9]+/[0-9]+|{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
_SIGNS = rf"(?:[-+{MINUS}]\$?|\$[-+{MINUS}]?)"
_NUMBER = rf"{_SIGNS}?{_BODY}[%$]?"
_MARKED = re.compile(rf"(?<!#)####[ \t]+(?P<number>{_NUMBER})\.*[ \t\r]*(?=$|####)", re.MULTILINE)
_ALONE = re.compile(rf"\s*(?P<number>{_NUMBER})\.*\s*")
# In running text a number begins and ends where no longer number, word, list, time or exponent goes on.
_STANDS_ALONE = r"(?<!\w)(?<![0-9][.,/:])(?<![0-9][eE][-+])"
_SIGN = rf"(?<!\)){_SIGNS}"  # behind a bracket it is a subtraction
_IN_TEXT = re.compile(rf"{_STANDS_ALONE}(?P<number>(?:{_SIGN})?{_BODY}[%$]?)(?!\w)(?![.,/:][0-9])")


def score(solution: str, reference: str, strict: bool = True) -> float:
    """1.0 if the solution's answer is the reference's, else 0.0.

    Args:
        solution: What was written.
        reference: A reference solution with its `#### <number>` line, or the number alone.
        strict: Read the solution by the strict rule; else by the flexible one.
    """
    right = reference_answer(reference)
    return float((strict_answer(solution) if strict else flexible_answer(solution)) == right)


def strict_answer(solution: str) -> Fraction | None:
    """The number behind `####` at the end of a line; None without one, or with two that differ."""
    found = {value for match in _MARKED.finditer(solution) if (value := _value(match)) is not None}
    return found.pop() if len(found) == 1 else None


def flexible_answer(solution: str) -> Fraction | None:
    """The last number of a text, or None."""
    last = None
    for match in _IN_TEXT.finditer(solution):
        value = _value(match)
        last = last if value is None else value
    return last


def reference_answer(reference: str) -> Fraction:
    """The answer of a reference solution, or of a bare number."""
    answer = strict_answer(reference) if "####" in reference else read_number(reference)
    if answer is None:
        raise ValueError(f"reference {reference[-80:]!r} must end in a line `#### <number>`, or be a number")
    return answer


def read_number(text: str) -> Fraction | None:
    """The number a text consists of, or None."""
    match = _ALONE.fullmatch(text)
    return _value(match) if match else None


def _value(match: re.Match[str]) -> Fraction | None:
    """The exact value of a matched number; None for one too long, or a fraction not in lowest terms."""
    text = match["number"]
    negative = "-" in text or MINUS in text
    above, slash, below = text.strip(f"-+{MINUS}$%").replace(",", "").partition("/")
    if max(len(above), len(below)) > MAX_CHARACTERS:
        return None
    if not slash:
        value = Fraction(above)
    elif int(below) < 2 or gcd(int(above), int(below)) != 1:
        return None
    else:
        value = Fraction(int(above), int(below))
    return -value if negative else value
