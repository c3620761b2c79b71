"""`snncc warm`."""

import time
from pathlib import Path
from typing import Any

import click

from snncc.cli.command import Command
from snncc.cli.output import print_facts, print_json
from snncc.cli.path_types import ProgramPath


@click.command("warm", cls=Command)
@click.argument("program", required=False, type=ProgramPath())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(program: Path | None, as_json: bool) -> None:
    """Make the simulator's machine code now, so that the first run need not.

    The code is the same for every program and kept for this machine and this version; run it once
    after installing. With PROGRAM, a black image runs too, which says how long the first answer
    takes.
    """
    start = time.perf_counter()
    from snncc.backends.cpu.vm.runner import compile_ahead

    cache = compile_ahead()
    record: dict[str, Any] = {
        "schema": 1,
        "seconds": time.perf_counter() - start,
        "machine_code": cache.origin,
        "folder": None if cache.folder is None else str(cache.folder),
        "refused": cache.refused,
    }
    if program is not None:
        record["first_answer_seconds"] = _first_answer(program)
    if as_json:
        print_json(record)
        return
    made = {
        "kept": "was there",
        "shipped": "made from the package's",
        "compiled": "compiled by Numba",
    }[cache.origin]
    kept = (
        cache.folder
        or cache.refused
        or "nowhere: set SNNCC_CACHE_DIR to a folder that can be written"
    )
    facts: list[tuple[str, object]] = [
        ("machine code", f"{made}, {record['seconds']:.2f} s"),
        ("kept in", kept),
    ]
    if program is not None:
        facts.append(("first answer", f"{record['first_answer_seconds']:.2f} s, reading included"))
    print_facts(facts)


def _first_answer(path: Path) -> float:
    """Seconds from the file to the answer to a black image."""
    import numpy as np

    from snncc.artifact import load_program
    from snncc.runtime.simulator import Simulator

    start = time.perf_counter()
    graph = load_program(path).graph
    entering = next(node.type for node in graph.nodes if not node.inputs)
    Simulator(graph).run(np.zeros((1, *entering.shape), entering.dtype))
    return time.perf_counter() - start
