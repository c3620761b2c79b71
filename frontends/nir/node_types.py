"""What each type of node holds: its fields, and which of them are left out by older writers."""

from dataclasses import dataclass

WEIGHT, REAL, POSITIVE, NOT_NEGATIVE, WHOLE = "weight", "real", "positive", "not negative", "whole"
"""Real numbers per neuron, of which some must be above 0 or not below it; weights; lengths."""


@dataclass(frozen=True)
class NodeType:
    """A type of node.

    Attributes:
        fields: what each must have, by name, with what it must be.
        optional: likewise, for those that may be missing.
    """

    fields: dict[str, str]
    optional: dict[str, str]

    @property
    def known(self) -> dict[str, str]:
        """All of them."""
        return self.fields | self.optional

    @property
    def by_neuron(self) -> tuple[str, ...]:
        """Fields with one number for each neuron."""
        each = (REAL, POSITIVE, NOT_NEGATIVE)
        return tuple(name for name, rule in self.known.items() if rule in each)


def _of(*fields: tuple[str, str], optional: tuple[tuple[str, str], ...] = ()) -> NodeType:
    return NodeType(dict(fields), dict(optional))


_SHAPE = ("shape", WHOLE)
_R, _LEAK, _THRESHOLD = ("r", REAL), ("v_leak", REAL), ("v_threshold", REAL)
_RESET = ("v_reset", REAL)
_CONVOLUTION = (
    ("weight", WEIGHT),
    ("stride", WHOLE),
    ("padding", WHOLE),
    ("dilation", WHOLE),
    ("groups", WHOLE),
    ("bias", WEIGHT),
)
_POOL = (("kernel_size", WHOLE), ("stride", WHOLE), ("padding", WHOLE))
_CUBA = (("tau_syn", POSITIVE), ("tau_mem", POSITIVE), _R, _LEAK)
NODE_TYPES: dict[str, NodeType] = {
    "Input": _of(_SHAPE),
    "Output": _of(_SHAPE),
    "Affine": _of(("weight", WEIGHT), ("bias", WEIGHT)),
    "Linear": _of(("weight", WEIGHT)),
    "Scale": _of(("scale", REAL)),
    "Conv1d": _of(*_CONVOLUTION, optional=(("input_shape", WHOLE),)),
    "Conv2d": _of(*_CONVOLUTION, optional=(("input_shape", WHOLE),)),
    "SumPool2d": _of(*_POOL),
    "AvgPool2d": _of(*_POOL),
    "Flatten": _of(("start_dim", WHOLE), ("end_dim", WHOLE), optional=(("input_type", WHOLE),)),
    "Delay": _of(("delay", NOT_NEGATIVE)),
    "Threshold": _of(("threshold", REAL)),
    "I": _of(_R),
    "LI": _of(("tau", POSITIVE), _R, _LEAK),
    "IF": _of(_R, _THRESHOLD, optional=(_RESET,)),
    "LIF": _of(("tau", POSITIVE), _R, _LEAK, _THRESHOLD, optional=(_RESET,)),
    "CubaLI": _of(*_CUBA, optional=(("w_in", REAL),)),
    "CubaLIF": _of(*_CUBA, _THRESHOLD, optional=(_RESET, ("w_in", REAL))),
}
"""By the type that a file names; subgraphs are beside them."""
PADDINGS = ("same", "valid")
"""What a padding may be called instead of numbers."""
