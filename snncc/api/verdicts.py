"""What `Program.verify` gives."""

from dataclasses import dataclass, replace

from snncc.api.arguments import argument_names
from snncc.mfi import Judgement, OpVerdict, headline
from snncc.mfi import Verdict as Proof


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether a program needs a multiplication, and on which level of the ladder it stands.

    Attributes:
        holds: whether every operation stays within the wanted level.
        level: "strict", "shift-add", "bit-serial" or "none": of the worst operation that counts.
        wanted: the level that was asked for.
        input: how images enter, and who computes that.
        output: how the answer leaves.
        operations: the level of every operation, with its module, reason and help.
        refused: the operations above the wanted level.
        current_bits: bits that hold every current, for any input.
        membrane_bits: bits that hold every membrane, for any input.
        headline: "multiplication-free", or "NOT multiplication-free".
    """

    holds: bool
    level: str
    wanted: str
    input: str
    output: str
    operations: tuple[OpVerdict, ...]
    refused: tuple[OpVerdict, ...]
    current_bits: int
    membrane_bits: int
    headline: str

    @classmethod
    def of(cls, proof: Proof, judgement: Judgement, wanted: str) -> "Verdict":
        """What a policy makes of a proof."""
        return cls(
            judgement.holds,
            judgement.level.label,
            wanted,
            proof.encoding,
            proof.readout,
            tuple(map(_reworded, proof.ops)),
            tuple(map(_reworded, judgement.refused)),
            proof.current_bits,
            proof.membrane_bits,
            headline(proof, judgement),
        )

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        answer = "holds" if self.holds else "does not hold"
        return f"<Verdict: {self.headline}, level {self.level}; {self.wanted} {answer}>"


def _reworded(op: OpVerdict) -> OpVerdict:
    """With names of arguments in place of the command line's options."""
    need = replace(
        op.need,
        reason=argument_names(op.need.reason),
        help=argument_names(op.need.help),
        rewrite=argument_names(op.need.rewrite),
    )
    return replace(op, need=need)
