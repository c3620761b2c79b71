"""One run of a model as a tape: every call on data, with its stamp and what it read.

The tape is for models whose loop over time is written in Python. Nothing is judged here: what the
recorder refuses (random numbers, data read by Python) is refused before a tape is made.
"""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten

from snncc.frontends.torch_recorder.answers import answer_of, is_tuple_of_answers
from snncc.frontends.torch_recorder.neurons.known import handler_for, is_multi_step
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.neurons.state import Starts, membrane
from snncc.frontends.torch_recorder.source_lines import Line, user_line
from snncc.frontends.torch_recorder.stamps import Stamp, Stamps, called

NEURON = "neuron module"
"""Name of the entry of a module that has a handler."""
_FILLED = frozenset(
    (
        *("zeros_like", "ones_like", "full_like", "empty_like"),
        *("new_zeros", "new_ones", "new_full", "new_empty"),
    )
)
"""Functions that take a shape from data and nothing else."""
_OPENS = frozenset(
    ("data", "set", "numpy", "array", "untyped_storage", "storage", "data_ptr", "dlpack")
)
"""Functions that open a tensor's memory to writes that no counter shows."""
SHARED = "a tensor is overwritten in place and read under another name later"
_SHARED_WHY = "views, detach and .data share their memory: what is read is not what was computed"
MOST_ELEMENTS = 1 << 16
"""Of a constant that may be a neuron's own: a leak for each neuron or channel."""
_GONE = -1
"""Version of a tensor whose content is another's by now."""
_MIRRORED = {"radd": "add", "rmul": "mul"}
"""Python's sum() begins with 0 + x, and goes on with sum + x."""


class NotRolled(Exception):
    """A run that cannot be followed as a loop.

    Attributes:
        message, why: as in a finding; "" where the recorder's own findings say all there is.
        places: the entries of tapes that it is about.
        others: what else was found with it.
        examined: whether all neurons were looked at: those that are not named have a form.
    """

    def __init__(self, message: str = "", why: str = "", *places: "Entry") -> None:
        super().__init__(message)
        self.message, self.why, self.places = message, why, places
        self.others: tuple[NotRolled, ...] = ()
        self.examined = False


@dataclass(frozen=True)
class Ref:
    """Result `out` of entry number `entry`; entry -1 is the model's input."""

    entry: int
    out: int = 0


@dataclass(frozen=True)
class Const:
    """A tensor that does not depend on the input, by content."""

    token: tuple[object, ...]


@dataclass(eq=False)
class Entry:
    """One call on data.

    Attributes:
        name: of the function, without underscores; NEURON for a module with a handler.
        raw: the function's name as it is.
        args, kwargs: the call's own.
        outs: the tensors it gave.
        operands: `args` and `kwargs` with `Ref` and `Const` in place of tensors.
        stamp: where in the code, and the how manyth.
        stack: the modules that were running, outermost first.
        line: the user's own.
        function: that was called, to run it once more on other numbers; None for a module.
    """

    name: str
    raw: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outs: tuple[torch.Tensor, ...]
    operands: Any
    stamp: Stamp
    stack: tuple[nn.Module, ...]
    line: Line
    function: Any = None


@dataclass(eq=False)
class Tape:
    """One run.

    Attributes:
        entries: all calls on data, in order.
        output: what the model answered, as operands are.
        numbers: constants whose elements are all one number, as they were when they were read.
        arrays: small constants whose elements differ, likewise.
        returned: how many elements the tuple had of which the answer is the first; 0 for none.
    """

    entries: list[Entry] = field(default_factory=list[Entry])
    output: Any = None
    numbers: dict[Const, float] = field(default_factory=dict[Const, float])
    arrays: dict[Const, NDArray[np.float64]] = field(
        default_factory=dict[Const, NDArray[np.float64]]
    )
    returned: int = 0


class LoopTape(TorchFunctionMode):
    """Writes a tape.

    Args:
        starts: of the model's neuron modules.

    Attributes:
        started: where each neuron module starts, by its id.
        raised: what the last of the model's calls raised, if any did.
    """

    def __init__(self, starts: Starts) -> None:
        super().__init__()
        self.tape = Tape()
        self.started: dict[int, float | NeuronRefused] = {}
        self.raised: Exception | None = None
        self._starts = starts
        self._stamps = Stamps(LoopTape.run.__code__)
        self._values: dict[int, tuple[Ref, int]] = {}
        self._tokens: dict[int, tuple[Const, int]] = {}
        self._bound: dict[int, list[torch.Tensor]] = {}
        self._alive: list[torch.Tensor] = []
        self._written: set[int] = set()
        self._stack: list[nn.Module] = []
        self._closed = True
        self._muted = 0
        self._entered: Any = None
        self._neurons: dict[int, tuple[object, ...]] = {}

    def run(self, model: nn.Module, example: torch.Tensor, calls: int | None = None) -> Tape:
        """Runs the model.

        Args:
            model: the module.
            example: what it is given.
            calls: how often it is called, once for each step; the answers of all calls are the
                tape's then. None: once, for all steps.

        Raises:
            NotRolled: something that a tape cannot hold.
        """
        self._bind(example, Ref(-1))
        with ExitStack() as stack:
            for hook in (
                register_module_forward_pre_hook(self._enter),
                register_module_forward_hook(self._leave, always_call=True),
            ):
                stack.callback(hook.remove)
            stack.enter_context(torch.no_grad())
            stack.enter_context(self)
            outputs = called(model, example, calls or 1)
        if is_tuple_of_answers(outputs[-1]):
            self.tape.returned = len(outputs[-1])
        answers = [self._encoded(answer_of(output)) for output in outputs]
        self.tape.output = answers[0] if calls is None else tuple(answers)
        return self.tape

    # Modules.

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)
        if handler_for(module) is not None:
            if self._muted == 0:
                if not args:
                    raise NotRolled()
                self._entered = self._encoded((args, {}))
                self._require_untouched(module)
            if id(module) not in self.started and args and isinstance(args[0], torch.Tensor):
                shape = tuple(args[0].shape)
                self.started[id(module)] = self._starts.found(
                    module, shape[1:] if is_multi_step(module) else shape
                )
            self._muted += 1

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if handler_for(module) is not None:
            self._muted -= 1
            if self._muted == 0 and isinstance(output, torch.Tensor):
                self._neurons[id(module)] = _state_of(module)
                self._append(NEURON, NEURON, args, {}, (output,), self._entered)
        self._stack.pop()

    def _require_untouched(self, module: nn.Module) -> None:
        """Raises NotRolled when a neuron is not as its last call left it."""
        last = self._neurons.get(id(module))
        if last is not None and last != _state_of(module):
            raise NotRolled(
                "a neuron module is changed between the steps of a loop",
                "its membrane or a parameter is not what its last call left",
                self.tape.entries[-1],
            )

    # Functions.

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._muted:
            return func(*args, **kwargs)
        full = resolve_name(func) or getattr(func, "__qualname__", repr(func))
        raw = full.split(".")[-2] if full.endswith(("__get__", "__set__")) else full.split(".")[-1]
        operands = self._encoded((args, kwargs))
        dynamic = _dynamic(operands)
        if raw.strip("_") in _OPENS:
            self._watch_constants()
        given = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, torch.Tensor)]
        before = [(a, a._version) for a in given]
        try:
            out = func(*args, **kwargs)
        except Exception as error:
            self.raised = error  # torch's, of the model's own call
            raise
        if dynamic and out is None and raw != "__setitem__":  # such as x.data = y
            raise NotRolled()
        result = args[0] if dynamic and out is None else out  # x[...] = y: x is another value now
        outs = tuple(o for o in tree_flatten(result)[0] if isinstance(o, torch.Tensor))
        name = raw.strip("_")
        if not dynamic or not outs or (name in _FILLED and not _dynamic(operands[0][1:])):
            return out
        if name == "result" or any(o.is_sparse for o in outs):
            raise NotRolled()
        for tensor, version in before:
            if tensor._version != version:
                self._overwrite(tensor)
        self._append(_MIRRORED.get(name, name), raw, args, kwargs, outs, operands, func)
        return out

    def _overwrite(self, tensor: torch.Tensor) -> None:
        """Other tensors of the same memory must not be read any more."""
        memory = tensor.untyped_storage().data_ptr()
        self._written.add(memory)
        for other in self._bound.get(memory, []):
            if other is not tensor:
                self._values[id(other)] = Ref(-1), _GONE

    def _watch_constants(self) -> None:
        """From now on constants are looked at whenever they are read: their memory is open."""
        self._tokens.clear()
        self._closed = False

    def _append(
        self,
        name: str,
        raw: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outs: tuple[torch.Tensor, ...],
        operands: Any,
        function: Any = None,
    ) -> None:
        number = len(self.tape.entries)
        line = user_line(LoopTape.run.__code__)
        stamp, stack = self._stamps.stamp(name), tuple(self._stack)
        self.tape.entries.append(
            Entry(name, raw, args, kwargs, outs, operands, stamp, stack, line, function)
        )
        for at, tensor in enumerate(outs):
            self._bind(tensor, Ref(number, at))

    def _bind(self, tensor: torch.Tensor, ref: Ref) -> None:
        memory = 0 if tensor.is_sparse else tensor.untyped_storage().data_ptr()
        self._bound.setdefault(memory, []).append(tensor)
        self._values[id(tensor)] = ref, tensor._version

    # What a call reads.

    def _encoded(self, thing: Any) -> Any:
        return mapped(thing, self._operand)

    def _operand(self, thing: Any) -> Any:
        if not isinstance(thing, torch.Tensor):
            return thing
        found = self._values.get(id(thing))
        if found is not None:
            if found[1] != thing._version:
                raise NotRolled(SHARED, _SHARED_WHY, self.tape.entries[-1])
            return found[0]
        if thing.is_sparse:
            raise NotRolled()
        if thing.untyped_storage().data_ptr() in self._written:
            raise NotRolled(SHARED, _SHARED_WHY, self.tape.entries[-1])
        known = self._tokens.get(id(thing))
        if known is None or known[1] != thing._version:
            known = token_of(thing), thing._version
            self._alive.append(thing)
            if self._closed:
                self._tokens[id(thing)] = known
            number = _number(thing)
            if number is not None:
                self.tape.numbers[known[0]] = number
            elif 0 < thing.numel() <= MOST_ELEMENTS and thing.is_floating_point():
                self.tape.arrays[known[0]] = thing.detach().cpu().double().numpy().copy()
        return known[0]


def mapped(thing: Any, leaf: Callable[[Any], Any]) -> Any:
    """The same lists, tuples, dicts and slices with other leaves; a slice becomes a tuple."""
    if isinstance(thing, slice):
        return ("slice", *(mapped(v, leaf) for v in (thing.start, thing.stop, thing.step)))
    if isinstance(thing, list | tuple):
        return tuple(mapped(v, leaf) for v in [*thing])
    if isinstance(thing, dict):
        return tuple((key, mapped(value, leaf)) for key, value in sorted(thing.items()))
    return leaf(thing)


def _dynamic(form: Any) -> bool:
    if isinstance(form, tuple):
        return any(_dynamic(item) for item in form)
    return isinstance(form, Ref)


def _state_of(module: nn.Module) -> tuple[object, ...]:
    """What a call of a neuron module finds: the identity of its membrane, and its parameters."""
    state = membrane(module)
    found: list[object] = [id(state), getattr(state, "_version", None)]
    for name, value in sorted(vars(module).items()):
        if isinstance(value, int | float | str | None):
            found.append((name, value))
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        found.append((name, token_of(tensor)))
    threshold = getattr(module, "v_threshold", None)
    found.append(token_of(threshold) if isinstance(threshold, torch.Tensor) else threshold)
    return tuple(found)


def token_of(tensor: torch.Tensor) -> Const:
    """A constant by its content."""
    plain = tensor.detach().cpu().contiguous().flatten()
    digest = hashlib.blake2b(plain.view(torch.uint8).numpy().tobytes()).hexdigest()
    return Const((str(tensor.dtype), tuple(tensor.shape), digest))


def _number(tensor: torch.Tensor) -> float | None:
    if tensor.numel() == 0 or tensor.is_complex():
        return None
    flat = tensor.detach().flatten()
    return float(flat[0]) if bool((flat == flat[0]).all()) else None
