"""What a model clips or rounds, element by element, until it is known to be a staircase."""

from dataclasses import dataclass
from typing import ClassVar

from snncc.ir.op import Context, Op, Param, require, require_axes
from snncc.ir.types import Kind, ValueType

ROUNDINGS = ("floor", "ceil", "trunc", "round")


@dataclass(frozen=True)
class Pointwise(Op):
    """An activation without memory: y = min(max(x, low), high), or x as a whole number.

    "floor", "ceil" and "trunc" round down, up and toward 0; "round" to the nearest, halves to the
    even one, as torch.round does. Every other function clips.

    Attributes:
        function: what the model calls: "relu", "clamp", "floor" or another.
        low, high: bounds over any of x's axes; None for none, and where it rounds.
    """

    mnemonic: ClassVar[str] = "pointwise"
    function: str
    low: Param | None = None
    high: Param | None = None

    @property
    def rounds(self) -> bool:
        """Whether the result is a whole number."""
        return self.function in ROUNDINGS

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 1, f"{self.function} has one source")
        (x,) = inputs
        for param in (self.low, self.high):
            if param is not None:
                require(not self.rounds, f"{self.function} has no bounds")
                require_axes(param, x, context)
        return x.with_kind(Kind.REAL)
