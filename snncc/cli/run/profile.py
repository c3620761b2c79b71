"""What `snncc run --profile` shows: where the time of one image goes."""

import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from snncc.cli.output import print_facts, print_json, print_table, say

if TYPE_CHECKING:
    from snncc.runtime.counts.profiling import Profile
    from snncc.runtime.simulator import Simulator

T = TypeVar("T")


class _Stages:
    """Seconds of what comes before the first image, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        self.seconds[stage] = time.perf_counter() - start
        return result


def show_profile(
    program: Path,
    images: Callable[[Any], Any],
    simulator_of: Callable[[Any], "Simulator"],
    as_json: bool,
) -> None:
    """Profiles a program on the first image and prints it.

    Args:
        program: its file.
        images: gives the images of a loaded program.
        simulator_of: gives its simulator.
        as_json: print one JSON object instead of a table.

    Raises:
        SnnccError: the program or the images cannot be read, or do not fit.
    """
    stages = _Stages()
    stages.time("imports", lambda: import_module("snncc.runtime.counts.profiling"))
    from snncc.artifact import load_program
    from snncc.backends.cpu.vm.runner import compile_ahead
    from snncc.runtime.counts.profiling import profile

    loaded = stages.time("reading and verifying the program", lambda: load_program(program))
    image = stages.time("reading the image", lambda: images(loaded)[0:1][0])
    stages.time("machine code", compile_ahead)
    simulator = stages.time("plan", lambda: simulator_of(loaded))
    stages.time("first run", lambda: simulator.run(image[None]))
    found = profile(simulator, image)
    if as_json:
        print_json(_record(found, stages.seconds))
    else:
        _print(found, stages.seconds)


def _record(found: "Profile", stages: dict[str, float]) -> dict[str, Any]:
    units = [asdict(unit) | {"additions_a_second": unit.rate} for unit in found.units]
    return {
        "schema": 1,
        "runs": found.runs,
        "units": units,
        "host_units": {unit.name: unit.why for unit in found.units if unit.why},
        "units_seconds": sum(unit.seconds for unit in found.units),
        "image_seconds": found.image,
        "start_seconds": stages,
    }


def _print(found: "Profile", stages: dict[str, float]) -> None:
    total = sum(unit.seconds for unit in found.units)
    rows = [
        (
            unit.name,
            "x".join(map(str, unit.shape)),
            unit.kind,
            f"{unit.spikes:,}",
            f"{unit.operations:,}",
            f"{1e3 * unit.seconds:.3f}",
            f"{unit.seconds / max(total, 1e-9):.1%}",
            f"{unit.rate / 1e9:.1f}",
        )
        for unit in found.units
    ]
    operations = sum(unit.operations for unit in found.units)
    rate = f"{operations / max(total, 1e-9) / 1e9:.1f}"
    all_ms = f"{1e3 * total:.3f}"
    rows.append(("all units", "", "", "", f"{operations:,}", all_ms, "100.0%", rate))
    print_table(
        rows,
        ("unit", "shape", "kind", "spikes in", "additions", "ms", "share", "G adds/s"),
        left=3,
    )
    say(
        f"one image, one thread, all time steps; medians of {found.runs} runs, unit by unit; in "
        f"one call {1e3 * found.image:.3f} ms"
    )
    for unit in found.units:
        if unit.why:
            say(f"host: the interpreter computes {unit.name}, for {unit.why}")
    say()
    print_facts([(stage, f"{1e3 * seconds:.0f} ms, once") for stage, seconds in stages.items()])
