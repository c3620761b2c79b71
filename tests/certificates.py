"""Programs, their certificates, and attackers that make a changed program look consistent."""

import hashlib
from pathlib import Path

from random_networks import random_network

from snncc.artifact import Program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.compile import CompileOptions, spiking_passes
from snncc.ir import Graph
from snncc.mfi.certificate import certify
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


def lowered(seed: int, gain: str = "shift-add", decay: str = "approximate") -> Graph:
    options = CompileOptions(gain=gain, decay=decay)
    spiking = run_passes(random_network(seed), spiking_passes(options))
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])


def file_of(graph: Graph, folder: Path) -> bytes:
    """The bytes of a program file, with the right sha256 whatever the graph holds."""
    path = folder / "program.snncc"
    save_program(path, Program(graph, {}))
    return path.read_bytes()


def certificate_of(graph: Graph, program: bytes) -> bytes:
    record = certify(graph, program_digest(Program(graph, {})), hashlib.sha256(program).hexdigest())
    return (canonical(record) + "\n").encode()
