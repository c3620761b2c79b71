"""`snncc run`."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, say_fewer, say_limit
from snncc.cli.given_frames import open_given
from snncc.cli.output import print_json
from snncc.cli.parameters import Seconds
from snncc.cli.path_types import DataPath, InterpreterPath, KeyOrDataPath, OutputFile, ProgramPath
from snncc.cli.progress import progress
from snncc.cli.registered import Registered
from snncc.cli.run.report import print_run
from snncc.cli.run.rules import RULES, say_threads
from snncc.diagnostics import SnnccError
from snncc.targets.registry import that_run

if TYPE_CHECKING:
    from snncc.backends.cpu.dense.choice import Kernels
    from snncc.backends.torch_tensors.program import Device
    from snncc.ir.images import ImageSource
    from snncc.runtime import Execution
    from snncc.runtime.executors import Runner
    from snncc.runtime.simulator import Simulator

RESULTS = OutputFile("an archive of arrays", ".npz")
RECORDING = OutputFile("a recording", ".npz")


@click.command("run", cls=Command, rules=RULES)
@click.argument("program", type=ProgramPath())
@click.argument("data", type=DataPath(), metavar="DATA.npz[:KEY]|FOLDER")
@click.option(
    "--labels", type=KeyOrDataPath(), metavar="KEY|NPZ:KEY|folders", help="For the accuracy."
)
@click.option(
    "--reference",
    type=KeyOrDataPath(),
    metavar="KEY|NPZ:KEY",
    help="Logits to compare predictions with.",
)
@click.option("-o", "--output", type=RESULTS, help="logits, predictions (.npz).")
@click.option("--record", "recorded", type=RECORDING, help="Spikes and membranes (.npz).")
@click.option("--record-only", multiple=True, metavar="NAME", help="Only this population; repeat.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N")
@click.option(
    "--executor",
    type=click.Choice(["simulator", "interpreter", "torch"]),
    default="simulator",
    show_default=True,
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Of --executor torch: where its tensors lie (default cpu); the same bits.",
)
@click.option("--profile", is_flag=True, help="Where the time of the first image goes, by layer.")
@click.option(
    "--on",
    type=Registered(that_run),
    default="cpu",
    show_default=True,
    help="lava: its process network, onnx: onnxruntime; compared with --executor spike by spike.",
)
@click.option("--lava-python", type=InterpreterPath(), help="An interpreter with Lava.")
@click.option(
    "--timeout",
    type=Seconds(),
    default=3600.0,
    show_default=True,
    metavar="S",
    help="Seconds that what --on names may take.",
)
@click.option(
    "--kernels",
    type=click.Choice(["event", "dense", "auto"]),
    help="Of the simulator: lists of active inputs (default), matrix products of a library (the "
    "same bits, but they multiply), or for every layer the faster one.",
)
@click.option(
    "--cross-check",
    type=click.IntRange(min=1),
    metavar="N",
    help="First compare the simulator with the interpreter on N images; stop where they differ.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    data: str,
    labels: str | None,
    reference: str | None,
    output: Path | None,
    recorded: Path | None,
    record_only: tuple[str, ...],
    limit: int | None,
    threads: int | None,
    executor: str,
    device: "Device | None",
    profile: bool,
    on: str,
    lava_python: Path | None,
    timeout: float,
    kernels: "Kernels | None",
    cross_check: int | None,
    as_json: bool,
) -> int:
    """Run a program on images.

    DATA holds uint8 images [n, ...] of the program's shape; normalisation is part of the program.
    A FOLDER holds PNG and JPEG files, which get the geometry of the --preprocess that the program
    was compiled with; `--labels folders` takes its subfolders, in the order of names, as classes.
    Writes `logits` (float64, real units) and `predictions` with -o (no predictions where an answer
    has several axes); what neurons did with --record, for `snncc compare` and for plain NumPy.

    With --profile only the first image runs, several times: what every layer costs is printed, and
    what comes before the first layer.

    With `--on lava` or `--on onnx` the results are those of Lava's processes or of onnxruntime, and
    the exit code is 1 when any of their spikes, membranes or answers is not the CPU's.
    """
    if profile:
        from snncc.cli.run.profile import show_profile

        show_profile(
            program,
            lambda loaded: _images(open_given(loaded, data), loaded, data, 1),
            lambda loaded: _simulator(loaded, 1, kernels),
            as_json,
        )
        return 0
    from snncc.artifact import check_writable, load_program
    from snncc.cli.run.elsewhere import machine_for, print_verdict, record_of, run_elsewhere
    from snncc.cli.run.truth import agreeing, labels_of, reference_of
    from snncc.data.files import write_arrays
    from snncc.data.image_files import ImageFiles
    from snncc.execution import recorded_names
    from snncc.ir.populations import population_nodes
    from snncc.runtime.answers import class_axis, predictions_of
    from snncc.runtime.recording import only, save_recording

    for path in (output, recorded):
        if path is not None:
            check_writable(path)
    where = machine_for(on, lava_python)
    loaded = load_program(program)
    graph = loaded.graph
    given = open_given(loaded, data)
    images = _images(given, loaded, data, limit)
    shape = graph[graph.output].type.shape
    several = sum(size > 1 for size in shape) > 1
    classes = max(shape, default=1)
    if labels is not None or reference is not None:
        class_axis(shape)
    truth = None if labels is None else labels_of(labels, given, data, limit, len(images), classes)
    wanted = (
        None if reference is None else reference_of(reference, data, limit, len(images), classes)
    )
    if isinstance(images, ImageFiles):
        with progress("checking files", quiet=as_json) as advance:
            images.check(advance)
    say_threads(threads)
    lava_run, simulator, crossed = None, None, None
    runner: Runner | None = None
    products: dict[str, Any] | None = None
    start = time.perf_counter()
    if where is not None:
        recorded_names(graph, record_only)
        lava_run = run_elsewhere(loaded, images, where, timeout, executor, threads, quiet=as_json)
        logits, spike_counts = lava_run.execution.logits, lava_run.execution.spike_counts
        if recorded is not None:
            save_recording(recorded, only(lava_run.recording, graph, record_only))
    else:
        with progress("running", quiet=as_json) as advance:
            if executor == "simulator":
                runner = simulator = _simulator(loaded, threads, kernels)
            elif executor == "torch":
                from snncc.runtime.executors import tensors_of

                runner = tensors = tensors_of(graph, device or "cpu")
                products = {"device": device or "cpu", "products": tensors.products}
            if simulator is not None and cross_check is not None:
                before = time.perf_counter()
                names = None if recorded is None else record_only or None
                crossed = _cross_check(graph, images, simulator, cross_check, names)
                start += time.perf_counter() - before
            if recorded is None:
                logits, spike_counts = _execute(graph, images, runner, advance)
            else:
                execution = _record(loaded, images, runner, record_only, recorded)
                logits, spike_counts = execution.logits, execution.spike_counts
    seconds = time.perf_counter() - start if lava_run is None else lava_run.seconds
    predictions = None if several else predictions_of(logits)
    if output is not None:
        found = {} if predictions is None else {"predictions": predictions}
        write_arrays(output, logits=logits, **found)
    rates = {
        node.name: spike_counts[node.name] / (len(images) * graph.steps * node.type.neurons)
        for node in population_nodes(graph)
    }
    sites = sum(node.type.neurons for node in population_nodes(graph))
    total = sum(spike_counts.values()) / max(1, len(images) * graph.steps * sites)
    record: dict[str, Any] = {"schema": 1, "images": len(images)}
    if isinstance(images, ImageFiles) and images.preset is not None:
        record["preprocess"] = images.preset.name
    if truth is not None:
        record["accuracy"] = agreeing(predictions, truth)
    if wanted is not None:
        own = predictions_of(wanted)
        record["agreement"] = agreeing(predictions, own)
        if truth is not None:
            record["reference_accuracy"] = agreeing(own, truth)
    record |= {
        "spike_rate": total,
        "spike_rates": rates,
        "seconds": seconds,
        "executor": executor if lava_run is None else on,
    }
    if lava_run is not None:
        record[on] = record_of(lava_run)
    if crossed is not None:
        record["cross_check"] = crossed
    if products is not None:
        record["torch"] = products
    if simulator is not None:
        record["kernels"] = _kernels(simulator, kernels)
    if as_json:
        print_json(record)
    else:
        print_run(record, output)
    if lava_run is None:
        return 0
    if not as_json:
        print_verdict(lava_run)
    return 0 if lava_run.comparison.first is None else 1


def _images(given: Any, program: Any, data: str, limit: int | None) -> "ImageSource":
    """Files as the program's preprocessing makes them, or an array that has its shape already."""
    from snncc.data.image_arrays import images_for
    from snncc.data.image_folder import ImageFolder
    from snncc.data.preprocessing import preset_of
    from snncc.ir.encodings import frames_of

    frames = frames_of(program.graph)
    if isinstance(given, ImageFolder):
        say_limit(limit, len(given.files))
        return given.images(frames.shape, preset_of(program.provenance), limit)
    images = images_for(given, frames.shape, data, frames.domain)
    say_limit(limit, len(images))
    images = images[:limit]
    if len(images) == 0:
        raise SnnccError("SNN016", f"{data} holds no images")
    return images


def _simulator(program: Any, threads: int | None, kernels: "Kernels | None") -> "Simulator":
    from snncc.backends.cpu.dense.choice import known_rates
    from snncc.runtime.simulator import Simulator

    rates = known_rates(program.provenance)
    return Simulator(program.graph, threads, kernels or "event", rates)


def _cross_check(
    graph: Any,
    images: "ImageSource",
    simulator: "Simulator",
    count: int,
    names: tuple[str, ...] | None,
) -> dict[str, Any]:
    """What was compared; raises SNN060 where the simulator and the interpreter part."""
    from dataclasses import asdict

    from snncc.runtime.cross_check import cross_check

    say_fewer("--cross-check", count, len(images))
    return asdict(cross_check(graph, images[0 : min(count, len(images))], simulator, names))


def _kernels(simulator: "Simulator", asked: str | None) -> dict[str, Any]:
    """What was asked for, the layers that are matrix products, and what the host computes."""
    found: dict[str, Any] = {"asked": asked or "event", "dense": list(simulator.dense_layers)}
    if found["dense"]:
        from snncc.backends.cpu.dense.products import library

        found["library"] = library()
    if simulator.host_units:
        found["host_units"] = simulator.host_units
    return found


def _execute(
    graph: Any, images: "ImageSource", runner: "Runner | None", advance: Any
) -> tuple[Any, Any]:
    """Logits of every image and spikes of every population; reads as many images as run at once."""
    import numpy as np

    run: Callable[[Any], Execution]
    if runner is None:
        from snncc.runtime.executors import images_of_interpreter
        from snncc.runtime.interpreter import interpret

        size, run = images_of_interpreter(graph), partial(interpret, graph)
    else:
        size, run = runner.images_at_once, runner.run
    logits: list[Any] = []
    spikes = Counter[str]()
    for start in range(0, len(images), size):
        part = run(images[start : start + size])
        logits.append(part.logits)
        spikes.update(part.spike_counts)
        advance(min(len(images), start + size), len(images))
    return np.concatenate(logits), spikes


def _record(
    program: Any,
    images: "ImageSource",
    runner: "Runner | None",
    names: tuple[str, ...],
    path: Path,
) -> "Execution":
    from snncc.artifact import program_digest
    from snncc.runtime import ALL
    from snncc.runtime.executors import as_executor, executor_of
    from snncc.runtime.recording import run_recorded, save_recording

    execute = as_executor(runner) if runner else executor_of(program.graph, "interpreter")
    execution, recording = run_recorded(
        program.graph, images[0 : len(images)], execute, names or ALL, program_digest(program)
    )
    save_recording(path, recording)
    return execution
