"""Neuron classes that have no handler: one finding a class, whatever their code calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from snncc.diagnostics import Finding
from snncc.frontends.torch_recorder.neurons.known import known_base, overridden
from snncc.ir import Loc

COMPARISONS = frozenset(("ge", "gt", "le", "lt", "greater", "greater_equal", "less", "heaviside"))
_BASES = frozenset(
    (
        ("spikingjelly", "MemoryModule"),
        ("spikingjelly", "NonSpikingBaseNode"),
        ("snntorch", "SpikingNeuron"),
        *(("norse", n) for n in ("SNNCell", "SNNRecurrentCell", "SNN", "SNNRecurrent")),
        ("sinabs", "StatefulLayer"),
    )
)
"""Base classes of what keeps state from step to step, by package."""
KNOWN = (
    "IFNode, LIFNode, ParametricLIFNode, KLIFNode and CUBALIFNode of SpikingJelly; Leaky, "
    "Synaptic, Alpha and Lapicque of snnTorch; LIF, LIFBox and LI of Norse; IAF, LIF, "
    "ALIF and ExpLeak of Sinabs"
)
_HELP = (
    "known is what is linear once its spikes are known (states that leak, read currents and each "
    f"other, one comparison, a reset to or by a number), such as {KNOWN}: use one of them, or a "
    "subclass that changes parameters only"
)


_INSTEAD = (
    "leave it out of the network that is compiled, or put an IFNode or a LIFNode of SpikingJelly "
    "in its place"
)


def keeps_state(module: nn.Module) -> bool:
    """Whether a module's class is one of a library's neurons or stateful layers."""
    own = {(base.__module__.split(".")[0], base.__qualname__) for base in type(module).__mro__}
    return bool(own & _BASES) and "Container" not in type(module).__qualname__


@dataclass
class UnknownNeurons:
    """Modules that act as neurons and have no handler, by path.

    Attributes:
        modules: in the order in which they were met.
        places: where each was called.
    """

    modules: dict[str, nn.Module] = field(default_factory=dict[str, nn.Module])
    places: dict[str, Loc] = field(default_factory=dict[str, Loc])

    def met(self, path: str, module: nn.Module, place: Loc) -> None:
        self.modules.setdefault(path, module)
        self.places.setdefault(path, place)

    def compared(self, stack: Sequence[tuple[str, nn.Module]], place: Loc) -> None:
        """Notes the user's module in whose code data are compared, as neurons do.

        Args:
            stack: paths and modules that are running, outermost first.
            place: of the comparison.
        """
        found: tuple[str, nn.Module] | None = None
        for path, module in reversed(stack):
            if not path or any(p.dim() > 1 for p in module.parameters()):
                break
            found = path, module
        if found is not None and not any(_within(found[0], path) for path in self.modules):
            path, module = found
            call = f"{type(module).__name__}()"
            self.met(path, module, Loc(path, place.file, place.line, call, place.source))

    def grouped(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings, those inside one class of unknown neurons as one."""
        inside = [self._owner(f) for f in findings]
        groups: dict[type, list[str]] = {}
        for path, module in self.modules.items():
            if path in inside:
                groups.setdefault(type(module), []).append(path)
        library = {cls for cls, paths in groups.items() if keeps_state(self.modules[paths[0]])}
        counts = {
            cls: sum(p is not None and type(self.modules[p]) is cls for p in inside)
            for cls in groups
        }
        result: list[Finding] = []
        for finding, owner in zip(findings, inside, strict=True):
            cls = None if owner is None else type(self.modules[owner])
            if cls is None or (cls not in library and counts[cls] < 2):
                result.append(finding)
            else:
                result.append(self._finding(groups[cls]))
        return tuple(dict.fromkeys(result))

    def _owner(self, finding: Finding) -> str | None:
        if finding.loc is None or finding.code == "SNN028":
            return None
        where = finding.loc.module_path
        return next((path for path in self.modules if _within(where, path)), None)

    def _finding(self, paths: list[str]) -> Finding:
        module = self.modules[paths[0]]
        base = known_base(module)
        changed = () if base is None else overridden(module, base)
        cls = type(module)
        if changed and base is not None:
            why = f"it changes {', '.join(changed)} of {base.__qualname__}, so it is another neuron"
        elif keeps_state(module):
            why = "its state has no form in a program yet"
        else:
            why = "it compares data in its own code, as neurons do; such code is not followed"
        more = f"; {len(paths)} modules: {', '.join(paths[:4])}" if len(paths) > 1 else ""
        more += ", ..." if len(paths) > 4 else ""
        does = "keeps state from step to step" if keeps_state(module) else "makes spikes by itself"
        return Finding(
            "SNN026",
            f"{cls.__name__} {does}, and its class is not known",
            self.places[paths[0]],
            why + more,
            _HELP if _is_neuron(cls) else _INSTEAD,
        )


def _is_neuron(cls: type) -> bool:
    """Whether a class is a neuron, as far as its package says, and no other layer with state."""
    layers = [b for b in cls.__mro__ if b.__module__.startswith("spikingjelly")]
    return not layers or any("neuron" in b.__module__ for b in layers)


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")
