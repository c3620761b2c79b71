"""Products with constants as additions that no compiler makes a multiplication of.

The bits of the constant are read when the program runs: x is doubled and added, the highest bit
first. A shift alone is written as one.
"""

from snncc.backends.c99.draft import Draft
from snncc.backends.c99.integers import working
from snncc.backends.c99.terms import Indices, Term
from snncc.backends.c99.writer import Writer


def times(draft: Draft, x: Term, factor: Term) -> Term:
    """The product of a value with a constant.

    Args:
        draft: a factor that is one number is put into a variable where it stands now.
        x: the value.
        factor: of `Draft.factor`, or one number.
    """
    ends = [a * b for a in x.bounds for b in factor.bounds]
    bounds = min(ends), max(ends)
    ctype = working(*bounds, *x.bounds, *factor.bounds)
    number, size = factor.literal, max(abs(end) for end in factor.bounds)
    if number is not None and number >= 0 and number & (number - 1) == 0:
        shift = number.bit_length() - 1

        def shifted(indices: Indices) -> str:
            return left(ctype, x.cast(ctype, indices), shift) if number else "0"

        return Term(ctype, bounds, x.leaves, shifted)
    known = None if number is None else draft.secret(number)
    w = draft.w

    def write(indices: Indices) -> str:
        count = len(x.leaves)
        value = w.let(ctype, x.cast(ctype, indices[:count]))
        by = w.let(ctype, factor.cast(ctype, indices[count:]) if known is None else known, "m")
        return multiplied(w, ctype, value, by, size, factor.bounds[0] < 0)

    leaves = x.leaves if known is not None else (*x.leaves, *factor.leaves)
    return Term(ctype, bounds, leaves, write)


def multiplied(w: Writer, ctype: str, x: str, by: str, most: int, signed: bool) -> str:
    """A value times a number, as additions.

    Args:
        w: the writer.
        ctype: of x and of the number.
        x: a variable.
        by: a variable.
        most: the largest magnitude of the number.
        signed: whether it can be below 0.
    """
    sign = ""
    if signed:
        sign = w.let(ctype, f"-({ctype})({by} < 0)", "s")
        by = w.let(ctype, f"({by} ^ {sign}) - {sign}", "m")
    bits = most.bit_length()
    total = w.fresh("y")
    w.line(f"{ctype} {total} = {x} & -({by} >> {bits - 1} & 1);")
    for bit in reversed(range(bits - 1)):
        w.line(f"{total} += {total}; {total} += {x} & -({by} >> {bit} & 1);")
    return f"(({total} ^ {sign}) - {sign})" if signed else total


def left(ctype: str, text: str, shift: int) -> str:
    """A shift to the left, which is defined for negative numbers too."""
    return f"({ctype})((u{ctype})({text}) << {shift})" if shift else text


def right(w: Writer, ctype: str, text: str, shift: int) -> str:
    """The floor of a number by a power of two."""
    return f"NET_RIGHT({ctype}, {w.let(ctype, text)}, {shift})" if shift else text
