"""What the user is told about a loop over time that has no form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from snncc.diagnostics import Finding
from snncc.frontends.torch_recorder.loops.forms import NO_FORM
from snncc.frontends.torch_recorder.loops.tape import SHARED, NotRolled
from snncc.frontends.torch_recorder.neurons.unknown import KNOWN
from snncc.frontends.torch_recorder.source_lines import definition_of
from snncc.ir.loc import Loc
from snncc.passes.report_foreign_ops import COMPARES

NOT_OF_LOOPS = frozenset(("SNN022", "SNN023", "SNN025", "SNN034"))
"""Findings that hold whether a model has a loop or not; one run says nothing of another then."""
_STAY = frozenset((*NOT_OF_LOOPS, "SNN020", "SNN024", "SNN027", "SNN100"))
_HELP = (
    "make every step do the same: the same layers, the same operations, the step before as the "
    "only memory; or give all steps at once to multi-step modules"
)
ONE_STEP = "a loop over time of one step shows no neuron"
_WHY_ONE = (
    "a neuron that is no known module is read from what a step takes of the step before, and with "
    "T = 1 there is none"
)
_HELP_ONE = (
    "give --steps 2 or more, and the model as many; where one step is meant, put a module that is "
    "known, such as IFNode of SpikingJelly, in place of the neuron"
)
_HELP_STATES = (
    "known is what is linear once its spikes are known: states that leak, read currents and each "
    "other, one comparison, a reset to or by a number, clamps from below; such as "
    f"{KNOWN}"
)


@dataclass(frozen=True)
class NotFollowed:
    """A loop that has no form.

    Attributes:
        findings: why.
        examined: whether all its neurons were looked at: those that are not named have a form.
    """

    findings: tuple[Finding, ...]
    examined: bool


def not_followed(model: nn.Module, error: NotRolled) -> NotFollowed:
    """What the user is told of a loop, each place once."""
    found = [finding_of(model, each) for each in (error, *error.others)]
    return NotFollowed(tuple(dict.fromkeys(found)), error.examined)


def finding_of(model: nn.Module, error: NotRolled) -> Finding:
    """What the user is told, with the lines of all places."""
    state = error.message == NO_FORM
    lines = [entry.line for entry in error.places]
    file, line, source = lines[0] if lines else definition_of(model)
    names = {id(module): path for path, module in model.named_modules()}
    stack = error.places[0].stack if error.places else ()
    path = names.get(id(stack[-1]), "") if stack else ""
    call = f"{type(stack[-1] if stack else model).__name__}()"
    also = "".join(f"; {f}:{n}  {text}" for f, n, text in lines[1:] if f)
    code = "SNN121" if state else "SNN021" if error.message == SHARED else "SNN120"
    return Finding(
        code,
        error.message,
        Loc(path, file, line, call, source),
        error.why + also,
        _HELP_STATES if state else _HELP,
    )


def of_one_step(findings: Sequence[Finding]) -> tuple[Finding, ...] | None:
    """What is told of a model with T = 1 that holds neurons of its own code; None of others.

    The other findings speak of the step as of code without time, which is not the reason.
    """
    own = next((f for f in findings if f.code == "SNN026" or COMPARES in f.message), None)
    if own is None:
        return None
    known = (f for f in findings if _stays(f))
    return (replace(own, code="SNN120", message=ONE_STEP, why=_WHY_ONE, help=_HELP_ONE), *known)


def with_loop(
    model: nn.Module, findings: Sequence[Finding], loop: Sequence[Finding], *, examined: bool
) -> tuple[Finding, ...]:
    """Findings of a run whose loop was unrolled, with those about the loop.

    What the loop's own code was found to do call by call is left out. A class of neurons that is
    not known keeps its finding, with what was seen in its loop.

    Args:
        model: as it was recorded.
        findings: of the unrolled run.
        loop: why it has no form, or what its step holds that has none.
        examined: whether all neurons of the loop were looked at: a class that is not known and that
            nothing in `loop` is about has a form then.
    """
    if any(finding.message == SHARED for finding in loop):
        return (*loop, *findings)  # which may or may not be in a loop
    known = [f for f in findings if _stays(f) or _is_of_module(f, loop)]
    if examined:
        about = [_classes(model, finding) for finding in loop]
        known = [f for f in known if f.code != "SNN026" or any(_is_about(f, a) for a in about)]
    rest: list[Finding] = []
    for finding in loop:
        classes = _classes(model, finding)
        owner = next((i for i, f in enumerate(known) if _is_about(f, classes)), None)
        if owner is None:
            rest.append(finding)
        elif finding.code in ("SNN120", "SNN121") and finding.why not in known[owner].why:
            why = f"{known[owner].why}; {finding.why}"
            known[owner] = replace(known[owner], why=why)
    return tuple(dict.fromkeys((*rest, *known)))


def _stays(finding: Finding) -> bool:
    """Whether it holds of the loop too.

    An answer written in place looks like a constant there, and of a tuple the first element is
    taken.
    """
    unseen = "it is a constant" in finding.why or "it is a tuple" in finding.why
    return finding.code in _STAY and not unseen


def _is_of_module(finding: Finding, loop: Sequence[Finding]) -> bool:
    """Whether it is about a module as such, not about a call in a loop's body."""
    if finding.code == "SNN026":
        return "more than once" not in finding.message
    place = finding.loc
    if finding.code != "SNN021" or place is None or place.call.startswith(("torch.", "__")):
        return False
    paths = [f.loc.module_path for f in loop if f.loc is not None and f.loc.module_path]
    return not any(_within(path, place.module_path) for path in paths)


def _classes(model: nn.Module, finding: Finding) -> set[str]:
    """The classes of the modules in which a finding lies, innermost of all."""
    path = finding.loc.module_path if finding.loc is not None else ""
    return {type(m).__name__ for p, m in model.named_modules() if p and _within(path, p)}


def _is_about(finding: Finding, classes: set[str]) -> bool:
    """Whether it says that one of some classes is not known."""
    return finding.code == "SNN026" and finding.message.split()[0] in classes


def _within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")
