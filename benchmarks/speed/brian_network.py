"""Brian2 on a chain of dense LIF layers, and the same chain as a program of ours.

Its spikes reach the next layer one step later, so it needs as many steps more as there are layers;
apart from this the spikes are the same, and they are compared.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract
from snncc.runtime import ALL
from snncc.runtime.simulator import Simulator
from speed.rounds import Contender, Refused
from speed.synthetic import Shape, Synthetic, synthetic

SHAPE = Shape(tokens=1, width=1000, depth=2, steps=100, rate=0.1)
MODEL = "v : 1\nx : 1\ndrive : 1"
NOTE = "one more step for every layer"
UPDATE = "v = floor(v / 2) + x + drive\nx = 0"


def chain(quick: bool) -> Synthetic:
    shape = Shape(1, 200, 2, 100, 0.1) if quick else SHAPE
    return synthetic(shape)


def ours(program: Synthetic, threads: int) -> Contender:
    simulator = Simulator(program.graph, threads)
    return Contender("ours", lambda: simulator.run(program.images).readout)


def brian(program: Synthetic, target: str) -> Contender:
    """The chain in Brian2 with one of its code generators, "numpy" or "cython".

    Raises:
        Refused: its spikes are not those of ours.
    """
    import brian2

    brian2.prefs.codegen.target = target
    step, steps = _clock(brian2, program)
    parts, monitors = _layers(brian2, program, step)
    net = brian2.Network(*parts, *monitors)
    net.store()
    net.run(steps)
    checked = _compare(program, monitors, step)
    net.restore()
    for monitor in monitors:
        monitor.active = False
    net.store("silent")

    def answer() -> np.ndarray:
        net.restore("silent")
        net.run(steps)
        return np.zeros(0)

    return Contender(f"Brian2, {target}", answer, note=NOTE, checked=checked)


def brian_standalone(program: Synthetic, folder: Path) -> Contender:
    """The chain as a C++ program that Brian2 writes; its time is that of its own clock.

    Raises:
        Refused: there is no compiler, or its spikes are not those of ours.
    """
    import brian2

    if shutil.which("g++") is None:
        raise Refused("there is no C++ compiler")
    shutil.rmtree(folder, ignore_errors=True)
    brian2.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    try:
        step, steps = _clock(brian2, program)
        parts, monitors = _layers(brian2, program, step)
        brian2.Network(*parts, *monitors).run(steps)
        device = brian2.get_device()
        device.build(directory=str(folder), compile=True, run=True, with_output=False)
        checked = _compare(program, monitors, step)
    finally:
        brian2.set_device("runtime")

    def answer() -> np.ndarray:
        device.run(directory=str(folder), with_output=False)
        return np.zeros(0)

    note = f"{NOTE}; its own clock, with its record of spikes"
    return Contender(
        "Brian2, C++", answer, 0.0, note, checked, lambda: float(device._last_run_time)
    )


def _clock(brian2: Any, program: Synthetic) -> tuple[Any, Any]:
    """The length of a step and of a run."""
    brian2.BrianLogger.log_level_error()
    step = 1 * brian2.ms
    brian2.defaultclock.dt = step
    return step, (program.shape.steps + program.shape.depth) * step


def _layers(brian2: Any, program: Synthetic, step: Any) -> tuple[list[Any], list[Any]]:
    """Everything that a network consists of, and a monitor for each layer."""
    graph, groups, rest = program.graph, list[Any](), list[Any]()
    populations = graph.select(IntegerPopulation)
    maps = graph.select(Contract)
    for number, node in enumerate(populations):
        op = node.op
        if not isinstance(op, IntegerPopulation):
            raise TypeError(op.mnemonic)
        theta = int(graph.constants[op.threshold.name])
        group = brian2.NeuronGroup(
            program.shape.width, MODEL, threshold=f"v >= {theta}", reset="v = 0"
        )
        rest.append(group.run_regularly(UPDATE, dt=step, when="groups"))
        weight = graph.constants[maps[number].op.weight.name]
        if number == 0:
            group.drive = weight.astype(np.int64) @ program.images[0, 0]
        else:
            synapses = brian2.Synapses(groups[-1], group, "w : 1", on_pre="x_post += w")
            synapses.connect()
            synapses.w = weight.T.astype(float).ravel()  # by source, then by target
            rest.append(synapses)
        groups.append(group)
    return [*groups, *rest], [brian2.SpikeMonitor(group) for group in groups]


def _compare(program: Synthetic, monitors: list[Any], step: Any) -> str:
    execution = Simulator(program.graph).run(program.images, ALL)
    total = 0
    for layer, (monitor, node) in enumerate(
        zip(monitors, program.graph.select(IntegerPopulation), strict=True)
    ):
        wanted = execution.spikes[node.name][0, :, 0, :]
        times = np.round(np.asarray(monitor.t / step)).astype(int) - layer
        kept = (times >= 0) & (times < program.shape.steps)
        got = np.zeros_like(wanted)
        got[times[kept], np.asarray(monitor.i)[kept]] = 1
        total += int(got.sum())
        if not np.array_equal(wanted, got):
            raise Refused(f"layer {layer} spikes otherwise than ours")
    return f"all {total:,} spikes as ours"
