"""Which verdicts are good enough."""

from dataclasses import dataclass, field

from snncc.mfi.ladder import Level
from snncc.mfi.prover import OpVerdict, Verdict

HOST = "encoding=host"
ALLOWANCES = {
    HOST: "the first layer may be computed outside the program, with multiplications",
}


@dataclass(frozen=True)
class Judgement:
    """What a policy makes of a verdict.

    Attributes:
        holds: whether everything that counts stays within the wanted level.
        level: the worst level of everything that counts: the program, and the input unless it is
            left to the host by permission.
        refused: the ops that are above the wanted level and count.
        host_refused: whether the host's part of the input is above the wanted level and counts.
    """

    holds: bool
    level: Level
    refused: tuple[OpVerdict, ...]
    host_refused: bool


@dataclass(frozen=True)
class Policy:
    """What is accepted.

    A first layer that the host computes is refused by default: to leave the multiplications to
    somebody else is not to do without them.

    Attributes:
        level: the highest level that is good enough.
        allow: names of `ALLOWANCES`.
    """

    level: Level = Level.SHIFT_ADD
    allow: frozenset[str] = field(default_factory=frozenset[str])

    def judge(self, verdict: Verdict) -> Judgement:
        """Holds a verdict against the policy."""
        free = HOST in self.allow
        counted = [op for op in verdict.ops if not (free and op.encodes)]
        outside = Level.STRICT if free else verdict.encoding_level
        inside = max((op.need.level for op in counted), default=Level.STRICT)
        level = max(inside, outside)
        refused = tuple(op for op in counted if op.need.level > self.level)
        return Judgement(level <= self.level, level, refused, outside > self.level >= inside)


def headline(verdict: Verdict, judgement: Judgement) -> str:
    """What the level says; where only what is not known decides it, not that it multiplies."""
    if judgement.level <= Level.BIT_SERIAL:
        return "multiplication-free"
    known = any(op.need.judged for op in verdict.above(Level.BIT_SERIAL))
    host = verdict.encoding_level > Level.BIT_SERIAL
    return "NOT multiplication-free" if known or host else "not shown to be multiplication-free"
