"""What `snncc run --on TARGET` does elsewhere: runs the program there, and the CPU beside it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snncc.cli.output import print_facts, say
from snncc.cli.progress import progress

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.ir.images import ImageSource
    from snncc.runtime import Execution
    from snncc.runtime.compare.comparison import Comparison
    from snncc.runtime.recording import Recording
    from snncc.targets.target import Machine, Target


@dataclass(frozen=True)
class Elsewhere:
    """What a target did, beside the CPU.

    Attributes:
        target: what ran the program.
        machine: on what it ran it.
        executor: what ran on the CPU.
        execution: the target's answers and counts of spikes.
        recording: the target's spikes and membranes.
        comparison: A is the CPU, B is the target.
        seconds: the target's, its start included.
        cpu_seconds: of the CPU.
        spikes: (image, step, neuron) that were compared; as many membranes.
    """

    target: "Target"
    machine: "Machine"
    executor: str
    execution: "Execution"
    recording: "Recording"
    comparison: "Comparison"
    seconds: float
    cpu_seconds: float
    spikes: int


def run_elsewhere(
    program: "Program",
    images: "ImageSource",
    where: "tuple[Target, Machine]",
    seconds: float,
    executor: str,
    threads: int | None,
    quiet: bool,
) -> Elsewhere:
    """Runs a program on a target and on the CPU, and compares every spike.

    Args:
        program: what to run.
        images: of its shape.
        where: see `machine_for`.
        seconds: that the target may take.
        executor: "simulator" or "interpreter": the CPU's.
        threads: of the simulator; None for as many as the machine gives.
        quiet: without a progress bar.

    Raises:
        SnnccError: of the export; SNN053 or SNN054 when the target fails or takes too long.
    """
    from snncc.artifact import program_digest
    from snncc.runtime import ALL
    from snncc.runtime.compare.comparison import Side, compare
    from snncc.runtime.executors import executor_of
    from snncc.runtime.recording import run_recorded

    graph, digest = program.graph, program_digest(program)
    pixels = images[0 : len(images)]
    target, machine = where
    with (
        progress(f"running on {target.title}", quiet) as advance,
        machine.executor(program, seconds, lambda done: advance(done, len(pixels))) as execute,
    ):
        start = time.perf_counter()
        execution, recording = run_recorded(graph, pixels, execute, ALL, digest)
        own_seconds = time.perf_counter() - start
    with progress("running on the CPU", quiet):
        start = time.perf_counter()
        on_cpu = executor_of(graph, executor, threads)
        _, expected = run_recorded(graph, pixels, on_cpu, ALL, digest)
        cpu_seconds = time.perf_counter() - start
    result = compare(Side("A", expected, graph), Side("B", recording, graph))
    spikes = sum(array.size for array in recording.spikes.values())
    return Elsewhere(
        *(target, machine, executor, execution, recording, result),
        *(own_seconds, cpu_seconds, spikes),
    )


def record_of(done: Elsewhere) -> dict[str, Any]:
    """The run in JSON form."""
    from snncc.cli.compare_command import comparison_record

    return {
        **done.machine.record,
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "compared": done.spikes,
        **_differing(done.comparison),
        "comparison": comparison_record(done.comparison),
    }


def print_verdict(done: Elsewhere) -> None:
    """Says whether the target did what the CPU did; if not, where they part."""
    from snncc.cli.compare_command import print_comparison

    result, count = done.comparison, _differing(done.comparison)
    layers, title = len(result.layers), done.target.title
    say()
    print_facts(
        [
            (title, f"{done.machine.version}, {done.seconds:.2f} s"),
            ("CPU", f"{done.executor}, {done.cpu_seconds:.2f} s"),
            ("compared", f"{result.images:,} images, {result.steps} steps, {layers} populations"),
            ("spikes", f"{count['spikes']:,} of {done.spikes:,} differ"),
            ("membranes", f"{count['membranes']:,} of {done.spikes:,} differ"),
            ("answers", f"{count['answers']:,} of {result.images:,} differ"),
        ]
    )
    if result.first is not None:
        say()
        print_comparison(result, [f"CPU ({done.executor})", f"{title} ({done.machine.place})"])


def _differing(result: "Comparison") -> dict[str, int]:
    return {
        "spikes": sum(layer.spikes for layer in result.layers),
        "membranes": sum(layer.membranes or 0 for layer in result.layers),
        "answers": result.readouts or 0,
    }


def machine_for(on: str, python: Path | None) -> "tuple[Target, Machine] | None":
    """What runs the programs of a target, found before long work starts; None: this process.

    Args:
        on: the target's name.
        python: the interpreter that the user names, or None.

    Raises:
        SnnccError: of the target, with the reason why there is none.
    """
    from snncc.targets import target_named

    target = target_named(on)
    return None if target.machine is None else (target, target.machine(python))
