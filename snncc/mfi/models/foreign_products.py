"""Products of two values that both depend on data, and what foreign functions are applied to."""

from dataclasses import dataclass

from snncc.ir.dialects.traced import Foreign
from snncc.mfi.ladder import Level
from snncc.mfi.models import domains as d
from snncc.mfi.models.domains import Domain, Values
from snncc.mfi.rules import Need

SPIKES_INSTEAD = "put a spiking neuron in its place"
Result = tuple[Domain, Need]


@dataclass(frozen=True)
class Operands:
    """What a foreign function is applied to.

    Attributes:
        op: the node's op.
        domains: of its data operands, in order; constants are not among them.
        inverted: which of them are 1 - s of a spike.
    """

    op: Foreign
    domains: tuple[Domain, ...]
    inverted: tuple[bool, ...]


def product(operands: Operands) -> Result:
    """An elementwise product, or a matrix product: sums of `terms` products."""
    first, *others = operands.domains
    if not others:
        return _square(first) if operands.op.function == "square" else scaled(operands)
    terms, worst = operands.op.terms, Need(Level.STRICT, ())
    for other in others:
        need = _need_of_product(first, other, terms, operands.inverted)
        worst = max(worst, need, key=lambda n: n.level) if worst.arithmetic else need
        first = d.product(first, other, max(terms, 1))
    return (first if terms else anywhere(first)), worst


def _need_of_product(left: Domain, right: Domain, terms: int, inverted: tuple[bool, ...]) -> Need:
    adds = () if terms == 1 else ("add",)
    if left.binary and right.binary:
        gate = "ANDN" if any(inverted) and not all(inverted) else "AND"
        counted = f"{gate} and popcount" if adds else gate
        return Need(
            Level.STRICT,
            ("logic", *adds),
            reason="a product of spikes" + (f", summed {terms} at a time" if terms > 1 else ""),
            rewrite=f"{counted} instead of multiply",
        )
    if left.selects or right.selects:
        other = right if left.selects else left
        return Need(
            Level.STRICT,
            ("select", *adds),
            reason=f"a spike selects {other}",
            rewrite=f"select{' and accumulate' if adds else ''} instead of multiply",
        )
    if left.discrete or right.discrete:
        narrow = min((x for x in (left, right) if x.discrete), key=lambda x: x.bits)
        return Need(
            Level.BIT_SERIAL,
            ("select", "shift", "add"),
            adders=max(narrow.bits - 1, 0),
            reason=f"{left} times {right}: both depend on data",
            help="let one of them be spikes: then the product is a selection",
            rewrite=f"select and add over the {narrow.bits} bits of {narrow}",
        )
    return Need(
        Level.NONE,
        ("multiply", *adds),
        reason=f"{left} times {right}: both depend on data and neither is an integer",
        help="let one of them be spikes: then the product is a selection (strict)",
    )


def _square(x: Domain) -> Result:
    if x.binary:
        return d.product(x, x), Need(Level.STRICT, (), reason="the square of a bit is the bit")
    return d.product(x, x), _need_of_product(x, x, 1, (False, False))


def scaled(operands: Operands) -> Result:
    """A value times a constant in a form that the recorder does not follow."""
    (x,) = operands.domains[:1]
    if x.selects or x.values is Values.FRAME:
        return d.ANY_CURRENT, Need(Level.STRICT, ("select", "add"), reason="bits select constants")
    if x.values is Values.REAL:
        return d.ANY_REAL, Need(
            Level.NONE, ("multiply",), reason=f"a constant meets {x}", help=SPIKES_INSTEAD
        )
    return d.ANY_CURRENT, Need(
        Level.SHIFT_ADD,
        ("shift", "add"),
        reason=f"constants meet {x}",
        help="put a spiking neuron before it",
    )


def weights(operands: Operands) -> Result:
    """A linear map in a form that the recorder does not follow; its weight may be a value."""
    return product(operands) if len(operands.domains) > 1 else scaled(operands)


def anywhere(domain: Domain) -> Domain:
    """A domain of the same standing without bounds: unknown constants have a part in it."""
    return d.ANY_REAL if domain.values is Values.REAL else d.ANY_CURRENT
