"""Another execution of the same images, to hold a program's against."""

from collections.abc import Callable
from pathlib import Path

from snncc.artifact import Program, load_program, program_digest
from snncc.execution import ALL, Images
from snncc.report.difference import Other
from snncc.runtime.executors import executor_of
from snncc.runtime.recording import load_recording, run_recorded


def other_of(path: Path, own: Program) -> Callable[[Images], Other]:
    """A recording (.npz) as it is, or a program, which then runs the images.

    Args:
        path: of the file, which is read now.
        own: the program that it is held against.

    Raises:
        SnnccError: SNN015 to SNN017 when it cannot be read.
    """
    if path.suffix != ".npz":
        return running(str(path), load_program(path))
    recording = load_recording(path)
    known = own.graph if recording.program == program_digest(own) else None
    other = Other(f"{path} (recording)", recording, known)
    return lambda images: other


def running(name: str, program: Program) -> Callable[[Images], Other]:
    """Another program, which runs the images on the simulator."""

    def run(images: Images) -> Other:
        execute, digest = executor_of(program.graph, "simulator"), program_digest(program)
        _, recording = run_recorded(program.graph, images, execute, ALL, digest)
        return Other(name, recording, program.graph)

    return run
