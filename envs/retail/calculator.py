"""The agent's calculator: Python's arithmetic on plain numbers, without `eval` and without ever hanging.

Allowed are digits, `+ - * / ( ) .` and spaces, read as Python reads them (so `**` and `//` work), the
result rounded to two places. Every sane expression gives tau-bench's own answer; what could take the
machine down (`9**9**9`, thousands of brackets) is an error instead. The bounds are below.

    calculate("(2 + 3) * 4.5")  ->  "22.5"
"""

import ast
import operator
from typing import Any

ALLOWED = frozenset("0123456789+-*/(). ")
MAX_CHARACTERS = 2_000
MAX_DEPTH = 200  # of nested brackets and signs; a sum may still have hundreds of terms
MAX_BITS = 16_384  # of a whole number on the way; a result beyond 1,024 bits is an error anyway

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}
_UNARY = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def calculate(expression: Any) -> str:
    """The value of an arithmetic expression as text, or `Error: …`."""
    try:
        if not ALLOWED.issuperset(expression):
            return "Error: invalid characters in expression"
        return str(round(float(_evaluate(_parse(expression))), 2))
    except Exception as error:  # the agent sees every failure as text, as in tau-bench
        return f"Error: {error}"


def _parse(expression: Any) -> ast.expr:
    if not isinstance(expression, str):
        raise TypeError("expression must be a string")
    if len(expression) > MAX_CHARACTERS:
        raise ValueError(f"expression is longer than {MAX_CHARACTERS} characters")
    if _depth(expression) > MAX_DEPTH:
        raise ValueError(f"expression is nested deeper than {MAX_DEPTH}")
    return ast.parse(expression.strip(" "), "<string>", mode="eval").body  # parsed only, so nothing warns


def _depth(expression: str) -> int:
    """Upper bound of nesting: open brackets plus the longest run of signs."""
    depth = deepest = run = longest = 0
    for character in expression:
        depth += (character == "(") - (character == ")")
        run = run + 1 if character in "+-" else run * (character == " ")
        deepest, longest = max(deepest, depth), max(longest, run)
    return deepest + longest


def _evaluate(root: ast.expr) -> Any:
    """Value of the tree, bottom-up with a stack of our own: a long sum is no deep recursion."""
    values: list[Any] = []
    for node in _postorder(root):
        if isinstance(node, ast.Constant):
            values.append(node.value)
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            values.append(_UNARY[type(node.op)](values.pop()))
        elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            right, left = values.pop(), values.pop()
            _refuse_giants(node.op, left, right)
            values.append(_BINARY[type(node.op)](left, right))
        elif isinstance(node, ast.Tuple) and not node.elts:
            values.append(())  # `()` is a value in Python; it fails later, with Python's own words
        elif isinstance(node, ast.Call):
            called = values[-1 - len(node.args)]
            raise TypeError(f"{type(called).__name__!r} object is not callable")
        else:
            raise TypeError(f"{type(node).__name__.lower()} is not arithmetic")
    return values.pop()


def _postorder(root: ast.expr) -> list[ast.expr]:
    """Children before parents, left before right."""
    order, stack = [], [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return order[::-1]


def _refuse_giants(operation: ast.operator, left: Any, right: Any) -> None:
    """Whole numbers grow without bound in Python; stop before the work, not after it."""
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    if isinstance(operation, ast.Pow) and right > 0:
        bits = left.bit_length() * right if abs(left) > 1 else 0
    elif isinstance(operation, ast.Mult):
        bits = left.bit_length() + right.bit_length()
    else:
        return
    if bits > MAX_BITS:
        raise OverflowError("number too large")
