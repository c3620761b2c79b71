"""The verdict in one sentence, and its evidence."""

from collections import Counter
from dataclasses import dataclass

from snncc.mfi import Level, OpVerdict, Policy, Verdict, headline

SHOWN = 40
"""Operations above strict, one by one; a network of 140 layers can have hundreds alike."""


@dataclass(frozen=True)
class Judged:
    """One operation above the lowest level."""

    name: str
    op: str
    level: str
    reason: str
    help: str


@dataclass(frozen=True)
class VerdictFacts:
    """What was proved.

    Attributes:
        sentence: all of it in one.
        level: of the worst operation that counts.
        free: whether no multiplication is needed.
        input: how images enter, and who computes that.
        output: how the answer leaves.
        operations: how many have each level, lowest first, those that occur.
        above: operations above strict, the worst first, `SHOWN` at most.
        more: how many further ones there are.
        current_bits, membrane_bits: that hold every current and membrane, for any input.
        unknown: names of operations of which nothing is known.
    """

    sentence: str
    level: str
    free: bool
    input: str
    output: str
    operations: tuple[tuple[str, int], ...]
    above: tuple[Judged, ...]
    more: int
    current_bits: int
    membrane_bits: int
    unknown: tuple[str, ...]


def verdict_of(proof: Verdict) -> VerdictFacts:
    """What a proof says, by the usual policy: a first layer of the host counts."""
    judgement = Policy(Level.BIT_SERIAL).judge(proof)
    free = judgement.level <= Level.BIT_SERIAL
    counts = Counter(op.need.level for op in proof.ops)
    levels = tuple((level.label, counts[level]) for level in Level if counts[level])
    worst = sorted(proof.above(Level.STRICT), key=lambda op: -op.need.level)
    return VerdictFacts(
        _sentence(headline(proof, judgement), free, levels, proof),
        judgement.level.label,
        free,
        proof.encoding,
        proof.readout,
        levels,
        tuple(map(_judged, worst[:SHOWN])),
        max(0, len(worst) - SHOWN),
        proof.current_bits,
        proof.membrane_bits,
        tuple(op.name or op.op for op in proof.unjudged),
    )


def _judged(op: OpVerdict) -> Judged:
    name = op.name or op.module_path or op.op
    return Judged(name, op.op, op.need.level.label, op.need.reason, op.need.help)


def _sentence(head: str, free: bool, levels: tuple[tuple[str, int], ...], proof: Verdict) -> str:
    each = " and ".join(
        f"{count:,} {'is' if count == 1 else 'are'} {label}" for label, count in levels
    )
    total = sum(count for _, count in levels)
    parts = f"of its {total:,} operations, {each}"
    if len(levels) == 1:
        parts = f"all of its {total:,} operations are {levels[0][0]}"
    held = (
        f", and no input can overflow {proof.current_bits} bits of a current or "
        f"{proof.membrane_bits} of a membrane"
    )
    if proof.encoding_level > Level.BIT_SERIAL:
        held = ", but the host computes its first layer, with multiplications"
    elif not free:
        held = ""
    return f"This program is {head}: {parts}{held}."
