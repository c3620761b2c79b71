"""The recorder: one real run of a model, noted call by call."""

import weakref
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten

from snncc.diagnostics import Finding
from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.calls.bits import Bits
from snncc.frontends.torch_recorder.calls.call import Call, Plan
from snncc.frontends.torch_recorder.calls.foreign import has_constants, is_complex, note_of, shaped
from snncc.frontends.torch_recorder.calls.functions import (
    CASTS,
    DRAWS,
    DROPOUTS,
    DROPS,
    PARTS,
    RANDOM,
    READS,
    READS_DATA,
    dropout_is_on,
    handler_of,
)
from snncc.frontends.torch_recorder.calls.reading import reads_data
from snncc.frontends.torch_recorder.neurons.known import (
    Handler,
    build_of,
    handler_for,
    is_multi_step,
)
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.neurons.state import Starts
from snncc.frontends.torch_recorder.neurons.unknown import (
    COMPARISONS,
    UnknownNeurons,
    keeps_state,
)
from snncc.frontends.torch_recorder.source_lines import user_place
from snncc.frontends.torch_recorder.steps import Build, Naming, Step, Value
from snncc.frontends.torch_recorder.twins import Twins
from snncc.frontends.torch_recorder.writes import Writes
from snncc.ir import Loc, Op
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.traced import COMPLEX
from snncc.ir.names import as_name, numbered

_LAYERS = ("torch.nn", "spikingjelly.activation_based.layer")
"""Modules that are one call, and are shown as themselves."""


class Recorder(TorchFunctionMode):
    """Notes every torch function that touches a value, and every neuron module as one step.

    Attributes:
        steps: what was noted, in order.
        findings: what cannot be compiled, all of it.
        unknown: modules that act as neurons and have no handler.
        writes: what the model writes in place.
        beyond: steps that no handler lowers, and what reads them: their dimensions are guesses.
        consequences: steps that have no form only because of what they read.
        closes: what each delay reads, by step.
        failed_at: path of the innermost module that raised, "" if none did.
    """

    def __init__(
        self,
        model: nn.Module,
        solver: AxisSolver,
        time_atom: int,
        batch_atom: int,
        starts: Starts,
    ) -> None:
        super().__init__()
        self.starts = starts
        self.unknown = UnknownNeurons()
        self.writes = Writes()
        self.solver = solver
        self.twins = Twins(solver)
        self.time_atom = time_atom
        self.batch_atom = batch_atom
        self.steps, self.findings = list[Step](), list[Finding]()
        self._values: dict[int, Value] = {}
        self._known: set[int] = set()
        self._watched: dict[int, weakref.ref[torch.Tensor]] = {}
        self._paths = {id(m): path for path, m in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._muted = 0
        self.failed_at = ""
        self._calls: dict[int, int] = {}
        self._started: dict[int, float | NeuronRefused] = {}
        self._bits = Bits()
        self.beyond: set[str] = set()
        self.consequences: set[str] = set()
        self.closes: dict[str, str] = {}
        for tensor in (*model.parameters(), *model.buffers()):
            self._know(tensor)
        for module in model.modules():
            attributes = [v for k, v in vars(module).items() if not k.startswith("_")]
            for tensor in tree_flatten(attributes)[0]:
                if isinstance(tensor, torch.Tensor):
                    self._know(tensor)

    def bind(self, tensor: torch.Tensor, value: Value) -> None:
        self._watch(tensor)
        self._values[id(tensor)] = value

    def value_of(self, thing: Any) -> Value | None:
        return self._values.get(id(thing)) if isinstance(thing, torch.Tensor) else None

    def run(self, model: nn.Module, example: torch.Tensor) -> Any:
        """Runs the model under the recorder; exceptions of the model pass through."""
        with ExitStack() as stack:
            for hook in (
                register_module_forward_pre_hook(self._enter),
                register_module_forward_hook(self._leave, always_call=True),
            ):
                stack.callback(hook.remove)
            stack.enter_context(torch.no_grad())
            stack.enter_context(self)
            return model(example)

    def place(self, call: str) -> Loc:
        return user_place(Recorder.run.__code__, self.path(), call)

    def path(self) -> str:
        return self._paths.get(id(self._stack[-1]), "") if self._stack else ""

    def find(self, code: str, message: str, call: str, why: str = "", help: str = "") -> None:
        finding = Finding(code, message, self.place(call), why, help)
        if finding not in self.findings:
            self.findings.append(finding)

    # Modules.

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)
        if handler_for(module) is not None:
            self._muted += 1
            if id(module) not in self._started and args and isinstance(args[0], torch.Tensor):
                self._started[id(module)] = self._start(module, tuple(args[0].shape))
        elif self._muted == 0 and keeps_state(module):
            self.unknown.met(self.path(), module, self.place(f"{type(module).__name__}()"))

    def _start(self, module: nn.Module, shape: tuple[int, ...]) -> float | NeuronRefused:
        return self.starts.found(module, shape[1:] if is_multi_step(module) else shape)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        handler = handler_for(module)
        if handler is not None:
            self._muted -= 1
            if self._muted == 0 and isinstance(output, torch.Tensor):
                self._neuron(module, handler, args, output)
        if output is None and not self.failed_at:
            self.failed_at = self.path()
        self._stack.pop()

    def _neuron(self, module: nn.Module, handler: Handler, args: Any, output: torch.Tensor) -> None:
        source = self.value_of(args[0]) if args else None
        path = self.path()
        call = f"{type(module).__name__}()"
        if source is None:
            self._know(output)
            return
        self._calls[id(module)] = self._calls.get(id(module), 0) + 1
        if self._calls[id(module)] > 1:
            self.find(
                "SNN026",
                "a neuron module is called more than once in one run",
                call,
                "its membrane carries over from one call to the next",
                "give the model all time steps at once (functional.set_step_mode(net, 'm')), or "
                "use one neuron module for each call",
            )
        dims = source.dims
        has_time = any(self.time_atom in self.solver.roots(d) for d in dims)
        if source.step in self.beyond:
            pass  # its dimensions are not known, and what made it so is found already
        elif is_multi_step(module) and (
            not dims or self.solver.roots(dims[0]) != (self.time_atom,)
        ):
            self.find(
                "SNN029",
                "a multi-step neuron reads a value whose first dimension is not time",
                call,
                "it integrates along the first dimension, whatever stands there",
                "give the model [T, B, ...], or set step_mode 's'",
            )
        elif not is_multi_step(module) and has_time:
            self.find(
                "SNN029",
                "a single-step neuron reads a value that has a time axis",
                call,
                "it takes all steps at once for one step",
                "set step_mode 'm' with functional.set_step_mode(net, 'm')",
            )
        build = self._neuron_build(module, handler, dims, call)
        name = self._note(path or "neuron", (source,), dims, build, call)
        self._bits.spikes.add(name)
        self.bind(output, Value(name, dims))

    def _neuron_build(
        self, module: nn.Module, handler: Handler, dims: tuple[Dim, ...], call: str
    ) -> Build:
        start = self._started.get(id(module), 0.0)
        step = dims[1:] if is_multi_step(module) else dims
        try:
            if isinstance(start, NeuronRefused):
                raise start
            return build_of(module, handler, self.solver, step, start)
        except NeuronRefused as refusal:
            self.find("SNN100", refusal.message, call, refusal.why, refusal.help)
            return lambda _n: ops.Lif()

    # Functions.

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._muted:
            return func(*args, **kwargs)
        full = resolve_name(func) or getattr(func, "__qualname__", repr(func))
        raw = full.split(".")[-2] if full.endswith(("__get__", "__set__")) else full.split(".")[-1]
        tensors = [a for a in tree_flatten((args, kwargs))[0] if isinstance(a, torch.Tensor)]
        dynamic = any(self.value_of(t) is not None for t in tensors)
        if dynamic and raw in READS_DATA:
            self._reads_data(raw)
        out = func(*args, **kwargs)
        if dynamic:
            if reads_data(raw, args, kwargs, out, self.value_of):
                self._reads_data(raw)
            self.writes.note(raw, args, kwargs, out, self.place, self.find)
        results = [o for o in tree_flatten(out)[0] if isinstance(o, torch.Tensor)]
        if not results:
            return out
        name = raw.strip("_")
        if name in RANDOM:
            self.find("SNN023", "the model draws random numbers", raw, *DRAWS)
        if not dynamic:
            for result in results:
                self._know(result)
            return out
        self._check_tensors(tensors, raw)
        if name in DROPOUTS and dropout_is_on(name, args, kwargs):
            self.find("SNN023", "dropout is active", raw, *DROPS)
        for place, result in enumerate(results):
            self._function(name, args, kwargs, result, raw, func, (place, len(results)))
        return out

    def _reads_data(self, raw: str) -> None:
        self.find("SNN022", f"Python reads the data of a value ({raw})", raw, *READS)

    def _check_tensors(self, tensors: list[torch.Tensor], raw: str) -> None:
        for tensor in tensors:
            if id(tensor) not in self._values and id(tensor) not in self._known:
                self.find(
                    "SNN024",
                    f"a tensor of shape {tuple(tensor.shape)} comes from code that cannot be seen",
                    raw,
                    "it was made by torch.jit.script, a C++ extension, or outside the model",
                    "make it a buffer of the module (register_buffer), or compute it in forward",
                )
                self._know(tensor)

    def _function(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: torch.Tensor,
        raw: str,
        function: Any,
        place: tuple[int, int],
    ) -> None:
        sole = place[1] == 1 or name in PARTS
        call = Call(
            self.solver,
            self.value_of,
            args,
            kwargs,
            out,
            self.time_atom,
            self.batch_atom,
            self._bits,
            function,
            place[0],
            lambda plan, suffix: self._first(self._stem(name) + suffix, plan, self._called(raw)),
            self.twins,
        )
        if name in CASTS and self.value_of(args[0]) is None:
            self._know(out)  # a constant as data is: constant.to(data)
            return
        follows = any(value.step in self.beyond for value in self._sources(args, kwargs))
        handler = handler_of(name, call) if sole else None
        if handler is None or is_complex(call):
            self._foreign(name, call, note_of(call, name))
            return
        self.solver.here = lambda: self.place(self._called(raw))
        try:
            sources, dims, build = handler(call)
        except AxisError as error:
            step = self._foreign(name, call, str(error), error.help)
            if follows:
                self.consequences.add(step)
            return
        if build is None:
            self.bind(out, Value(sources[0].step, dims))
            return
        step = self._note(self._stem(name) + call.suffix, sources, dims, build, self._called(raw))
        self._bits.note(handler, call, sources, step)
        self.bind(out, Value(step, dims))

    def _first(self, stem: str, plan: Plan, call: str) -> Value:
        """A step of a call that is several."""
        sources, dims, build = plan
        if build is None:
            return Value(sources[0].step, dims)
        return Value(self._note(stem, sources, dims, build, call), dims)

    def _sources(self, args: Any, kwargs: Any) -> tuple[Value, ...]:
        leaves = tree_flatten((args, kwargs))[0]
        return tuple(v for a in leaves if (v := self.value_of(a)) is not None)

    def _foreign(self, name: str, call: Call, why: str, help: str = "") -> str:
        """Something without a handler: noted, so that it is reported with everything else."""
        sources = self._sources(call.args, call.kwargs)
        dims, terms = shaped(call, name, sources, self.batch_atom)
        if name in ("max", "min") and not call.out.is_floating_point():
            name = f"arg{name}"
        constants = has_constants(call, name)
        function = f"{name}: {why}" if why else name
        if is_complex(call):
            function = f"{COMPLEX} {name}: it computes with complex numbers"

        def build(n: Naming) -> Op:
            return ops.Foreign(function, n.axes(*dims), n.shape(*dims), terms, constants, help)

        if name in COMPARISONS:
            stack = [(self._paths.get(id(m), ""), m) for m in self._stack]
            self.unknown.compared(stack, self.place(self._called(name)))

        step = self._note(self._stem(name), sources, dims, build, self._called(name))
        self.beyond.add(step)
        self.bind(call.out, Value(step, dims))
        return step

    def _stem(self, name: str) -> str:
        """A library module's own path; a user's module has several calls, so each is named."""
        path = self.path()
        library = bool(self._stack) and type(self._stack[-1]).__module__.startswith("torch.nn")
        return path if path and library else f"{path}.{name}" if path else name

    def _called(self, raw: str) -> str:
        if self._stack and type(self._stack[-1]).__module__.startswith(_LAYERS):
            return str(self._stack[-1]).split("\n")[0]
        return f"torch.{raw.strip('_')}"

    def _note(
        self,
        stem: str,
        sources: tuple[Value, ...],
        dims: tuple[Dim, ...],
        build: Build,
        call: str,
    ) -> str:
        stem = as_name(stem) or "v"  # as the graph will call it
        taken = {step.name for step in self.steps}
        name, number = stem, 2
        while name in taken:
            name, number = numbered(stem, number), number + 1
        inputs = tuple(source.step for source in sources)
        self.steps.append(Step(name, inputs, dims, build, self.place(call)))
        if self.beyond.intersection(inputs):
            self.beyond.add(name)
        return name

    def _know(self, tensor: torch.Tensor) -> None:
        self._watch(tensor)
        self._known.add(id(tensor))

    def _watch(self, tensor: torch.Tensor) -> None:
        """Forgets a tensor's id when the tensor goes: another may get that id, and memory."""
        key = id(tensor)

        def forget(_gone: object) -> None:
            self._watched.pop(key, None)
            self._values.pop(key, None)
            self._known.discard(key)

        self._watched[key] = weakref.ref(tensor, forget)
