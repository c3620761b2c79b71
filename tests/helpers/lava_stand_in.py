"""A stand-in for lava-nc: a bundle's processes and models, one after another, in one Python.

It runs the bundle's own files where there is no Lava. Lava's order is given by its channels; here a
process runs in each step when all that send to it have.
"""

import importlib
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

BUNDLE = ("arithmetic", "host", "network", "neurons", "projections", "window")


class Process:
    made: ClassVar[list["Process"]] = []

    def __init__(self, **proc_params: Any) -> None:
        self.proc_params = proc_params
        self.name = proc_params["name"]
        Process.made.append(self)

    def run(self, condition: Any, *_: Any) -> None:
        every = in_order(Process.made)
        for process in every:
            if not hasattr(process, "model"):
                process.model = start(process)
        for _ in range(condition.num_steps):
            for process in every:
                process.model.time_step += 1
                process.model.run_spk()

    def stop(self) -> None:
        Process.made.clear()


class Port:
    """Both ends: what is sent waits at each port that is connected."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.readers: list[Port] = []
        self.sources: list[Port] = []
        self.waiting: dict[int, deque[np.ndarray]] = {}

    def connect(self, reader: "Port") -> None:
        assert self.shape == reader.shape, (self.shape, reader.shape)
        assert reader not in self.readers, "Lava connects two ports once"
        self.readers.append(reader)
        reader.sources.append(self)
        reader.waiting[id(self)] = deque()

    def send(self, data: np.ndarray) -> None:
        assert data.shape == self.shape, (data.shape, self.shape)
        for reader in self.readers:
            reader.waiting[id(self)].append(data.copy())

    def recv(self) -> np.ndarray:
        total = np.zeros(self.shape, np.int64)
        for queue in self.waiting.values():
            total = total + queue.popleft()
        return total


class Model:
    process: type[Process]

    def __init__(self, proc_params: Any) -> None:
        self.time_step = 0


MODELS: dict[type, type] = {}


def implements(proc: type, protocol: object) -> Any:
    def decorate(model: type) -> type:
        MODELS[proc] = model
        return model

    return decorate


def start(process: Process) -> Any:
    model = MODELS[type(process)](process.proc_params)
    for name, member in vars(process).items():
        if isinstance(member, Port):
            setattr(model, name, member)
        elif isinstance(member, SimpleNamespace):
            setattr(model, name, np.broadcast_to(member.init, member.shape).astype(np.int64).copy())
    return model


def in_order(processes: list[Process]) -> list[Process]:
    owner = {id(p): process for process in processes for p in ports(process)}
    done: dict[int, Process] = {}

    def visit(process: Process) -> None:
        if id(process) not in done:
            for port in ports(process):
                for source in port.sources:
                    visit(owner[id(source)])
            done[id(process)] = process

    for process in processes:
        visit(process)
    return list(done.values())


def ports(process: Process) -> list[Port]:
    return [member for member in vars(process).values() if isinstance(member, Port)]


def modules() -> dict[str, ModuleType]:
    """`lava`, as far as a bundle imports it."""
    same = lambda *_: lambda model: model  # noqa: E731
    vectors = SimpleNamespace(VEC_DENSE="dense")
    contents: dict[str, dict[str, Any]] = {
        "core.decorator": {"implements": implements, "requires": same, "tag": same},
        "core.model.py.model": {"PyLoihiProcessModel": Model},
        "core.model.py.ports": {"PyInPort": vectors, "PyOutPort": vectors},
        "core.model.py.type": {"LavaPyType": lambda *_, **__: None},
        "core.process.ports.ports": {"InPort": Port, "OutPort": Port},
        "core.process.process": {"AbstractProcess": Process},
        "core.process.variable": {"Var": SimpleNamespace},
        "core.resources": {"CPU": object},
        "core.run_conditions": {"RunSteps": SimpleNamespace},
        "core.run_configs": {"Loihi2SimCfg": SimpleNamespace},
        "core.sync.protocols.loihi_protocol": {"LoihiProtocol": object},
    }
    found: dict[str, ModuleType] = {}
    for path, members in contents.items():
        parts = ["lava", "magma", *path.split(".")]
        for i in range(1, len(parts) + 1):
            name = ".".join(parts[:i])
            found.setdefault(name, ModuleType(name)).__path__ = []
        vars(found[".".join(parts)]).update(members)
    return found


@contextmanager
def stand_in(bundle: Path) -> Iterator[Any]:
    """The bundle's `Network`, on the stand-in."""
    before = {name: sys.modules.pop(name) for name in BUNDLE if name in sys.modules}
    lava = modules()
    sys.modules.update(lava)
    sys.path.insert(0, str(bundle))
    MODELS.clear()
    Process.made.clear()
    try:
        yield importlib.import_module("network").Network
    finally:
        sys.path.remove(str(bundle))
        for name in (*BUNDLE, *lava):
            sys.modules.pop(name, None)
        sys.modules.update(before)
