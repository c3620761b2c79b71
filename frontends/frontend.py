"""What a frontend is: it reads models of one kind, and gives what the compiler takes.

Nothing here imports a library of any frontend.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from snncc.diagnostics import Finding
from snncc.ir import Graph

Json = Any
FRAMES = "frames"
"""The layout of a model that gets a frame of its own at every step, however it takes it."""
NOTHING = object()
"""No live object; None is one, which no frontend reads."""


@dataclass(frozen=True)
class ModelSpec:
    """What the user names.

    Attributes:
        checkpoint: a file, or None.
        model: "mixer-snn", "pkg.module:factory", the name of another kind, or None.
        arguments: for a factory.
        neuron: parameters of a recognised network's neurons.
        weights: which of a checkpoint's sets of weights.
        convention: how a file without a meaning of its own is run, by name.
        dt: seconds of one time step of such a file.
        answer: which part of what a module returns is its answer; None for the first.
        module: a live object in place of all that, as Python callers give it.
    """

    checkpoint: Path | None = None
    model: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    neuron: Mapping[str, str] | None = None
    weights: str | None = None
    module: object = NOTHING
    convention: str | None = None
    dt: float | None = None
    answer: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether a live object is given, and no name."""
        return self.module is not NOTHING

    @property
    def is_factory(self) -> bool:
        """Whether a factory of the user's is named."""
        return ":" in (self.model or "")


@dataclass(frozen=True)
class Traced:
    """A model as a graph.

    Attributes:
        graph: in the traced dialect, with `Foreign` nodes for what is not known; of a `whole`
            source in the integer one. Verified.
        findings: everything that cannot be compiled, foreign operations included.
        notes: sentences for the user: what was seen and taken.
    """

    graph: Graph
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A model that was read, and what it says about itself before it is traced.

    Tracing is a step of its own: the shape of an image and T may be the user's, and what is wrong
    with the user's images is said before that work.

    Attributes:
        network: its name.
        trace: makes the graph, for the shape of one image, T, and the layout of the input.
        parameters: counts the model's parameters.
        facts: in JSON form, for the report.
        input_shape: of one image, or None where only the user knows it.
        steps: T, or None.
        notes: what was assumed.
        steps_are_fixed: whether the network works with this T alone.
        whole: whether what is traced is an integer program already, to be taken as it is.
    """

    network: str
    trace: Callable[[tuple[int, ...], int, str], Traced]
    parameters: Callable[[], int]
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    input_shape: tuple[int, ...] | None = None
    steps: int | None = None
    notes: tuple[str, ...] = ()
    steps_are_fixed: bool = False
    whole: bool = False


class Frontend(Protocol):
    """Reads models of one kind."""

    def recognises(self, spec: ModelSpec) -> bool:
        """Whether this is a model of the kind, as far as names tell; imports no library."""
        ...

    def check(self, spec: ModelSpec) -> None:
        """What names and options alone say, before anything is read; imports no library.

        Raises:
            SnnccError: for options that do not go together, and names of nothing.
        """
        ...

    def read(self, spec: ModelSpec) -> Source:
        """Reads the model, after `check`.

        Raises:
            SnnccError: for whatever is wrong with it, or with what the user says about it.
        """
        ...
