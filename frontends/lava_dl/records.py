"""A .net file in memory: layers in order, with the numbers that stand in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import Finding
from snncc.frontends.hdf5.reader import Field
from snncc.ir import Loc

Ints = NDArray[np.int64]
INVALID = "SNN151"
OPEN = "SNN152"
NO_FORM = "SNN153"
FROM_WRITER = "export the network again with lava-dl, or look at this layer there"


class Refused(Exception):
    """A layer cannot be compiled.

    Attributes:
        finding: what is said of it.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        number: its place in the file, as the file writes it.
        kind: "dense", "conv", ...
        fields: its numbers.
        neuron: type and numbers of its neurons, None where it has none.
    """

    number: int
    kind: str
    fields: Mapping[str, Field] = field(default_factory=dict[str, Field])
    neuron: Mapping[str, Field] | None = None

    @property
    def name(self) -> str:
        """Of its node in the program."""
        return f"layer_{self.number}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"layer {self.number} ({self.kind})"

    @property
    def loc(self) -> Loc:
        """Where it is, for messages."""
        return Loc(self.name, call=self.kind)

    def numbers(self, name: str) -> NDArray[Any]:
        """A field as it stands in the file."""
        return np.asarray(self.fields[name])

    def whole(self, name: str) -> Ints:
        """A field of whole numbers."""
        return np.asarray(self.fields[name]).astype(np.int64)

    def lengths(self, name: str) -> tuple[int, ...]:
        """Likewise, as a flat tuple."""
        return tuple(int(each) for each in self.whole(name).reshape(-1).tolist())

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """One number or two, for rows and columns."""
        if name not in self.fields:
            return default, default
        values = self.whole(name).reshape(-1)
        return int(values[0]), int(values[-1])

    def of_neuron(self, name: str, default: int = 0) -> int:
        """A whole number of its neurons."""
        held = self.neuron or {}
        return int(np.asarray(held[name]).reshape(-1)[0]) if name in held else default

    def wrong(self, message: str, why: str = "", code: str = INVALID) -> Finding:
        """A finding at this layer; `message` goes on after its title."""
        help_ = FROM_WRITER if code == INVALID else "see docs/lava_net.md"
        return Finding(code, f"{self.title} {message}", self.loc, why, help_)


@dataclass(frozen=True)
class NetFile:
    """What stands in a file.

    Attributes:
        layers: in order.
        steps: of a sample, as the training script stored it, or None.
        notes: what was left out, for the user.
    """

    layers: tuple[Layer, ...]
    steps: int | None = None
    notes: tuple[str, ...] = ()
