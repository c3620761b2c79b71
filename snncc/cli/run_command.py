"""`snncc run`."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from snncc.cli.output import print_facts, print_json, print_table, progress
from snncc.diagnostics import SnnccError
from snncc.ir.images import ImageSource

if TYPE_CHECKING:
    from snncc.runtime import Execution
    from snncc.runtime.kernel_choice import Kernels
    from snncc.runtime.simulator import Simulator

SHOWN = 12
"""Names of layers in one line; JSON has all."""


@click.command("run")
@click.argument("program", type=click.Path(path_type=Path))
@click.argument("data", metavar="DATA.npz[:KEY]|FOLDER")
@click.option("--labels", metavar="KEY|NPZ:KEY|folders", help="For the accuracy.")
@click.option("--reference", metavar="KEY|NPZ:KEY", help="Logits to compare predictions with.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="logits, predictions (.npz).")
@click.option(
    "--record", "recorded", type=click.Path(path_type=Path), help="Spikes and membranes (.npz)."
)
@click.option("--record-only", multiple=True, metavar="NAME", help="Only this population; repeat.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N")
@click.option(
    "--executor",
    type=click.Choice(["simulator", "interpreter"]),
    default="simulator",
    show_default=True,
)
@click.option("--profile", is_flag=True, help="Where the time of the first image goes, by layer.")
@click.option(
    "--on",
    type=click.Choice(["cpu", "lava"]),
    default="cpu",
    show_default=True,
    help="lava: its process network, compared with --executor spike by spike.",
)
@click.option("--lava-python", type=click.Path(path_type=Path), help="An interpreter with Lava.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    metavar="S",
    help="Seconds that Lava may take.",
)
@click.option(
    "--kernels",
    type=click.Choice(["event", "dense", "auto"]),
    help="Of the simulator: lists of active inputs (default), matrix products of a library (the "
    "same bits, but they multiply), or for every layer the faster one.",
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
    profile: bool,
    on: str,
    lava_python: Path | None,
    timeout: float,
    kernels: "Kernels | None",
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

    With `--on lava` the results are those of Lava's processes, and the exit code is 1 when any of
    their spikes, membranes or answers is not the CPU's.
    """
    if profile:
        if any((labels, reference, output, recorded)) or executor != "simulator" or on != "cpu":
            raise click.UsageError("--profile times the simulator on one image and writes nothing")
        from snncc.cli.run_profile import show_profile
        from snncc.runtime.data_files import open_images

        show_profile(
            program,
            lambda loaded: _images(open_images(data), loaded, data, 1),
            lambda loaded: _simulator(loaded, 1, kernels),
            as_json,
        )
        return 0
    from snncc.artifact import check_writable, load_program
    from snncc.cli.run_on_lava import environment_for, lava_record, print_verdict, run_on_lava
    from snncc.ir.integer_ops import IntegerPopulation
    from snncc.runtime.answers import class_axis, predictions_of
    from snncc.runtime.data_files import open_images, write_arrays
    from snncc.runtime.execution import recorded_names
    from snncc.runtime.image_files import ImageFiles
    from snncc.runtime.recording import only, save_recording

    for path in (output, recorded):
        if path is not None:
            check_writable(path)
    if record_only and recorded is None:
        raise click.UsageError("--record-only names what --record FILE keeps")
    lava = environment_for(on, lava_python)
    if kernels is not None and (executor != "simulator" or on != "cpu"):
        raise click.UsageError("--kernels chooses among those of --executor simulator on the CPU")
    loaded = load_program(program)
    graph = loaded.graph
    given = open_images(data)
    images = _images(given, loaded, data, limit)
    shape = graph[graph.output].type.shape
    several = sum(size > 1 for size in shape) > 1
    classes = max(shape, default=1)
    if labels is not None or reference is not None:
        class_axis(shape)
    truth = None if labels is None else _labels(labels, given, data, limit, len(images), classes)
    wanted = None if reference is None else _reference(reference, data, limit, len(images), classes)
    if isinstance(images, ImageFiles):
        with progress("checking files", quiet=as_json) as advance:
            images.check(advance)
    beside, simulator = None, None
    start = time.perf_counter()
    if lava is not None:
        recorded_names(graph, record_only)
        beside = run_on_lava(loaded, images, lava, timeout, executor, threads, quiet=as_json)
        logits, spike_counts = beside.execution.logits, beside.execution.spike_counts
        if recorded is not None:
            save_recording(recorded, only(beside.recording, graph, record_only))
    else:
        with progress("running", quiet=as_json) as advance:
            simulator = _simulator(loaded, threads, kernels) if executor == "simulator" else None
            if recorded is None:
                logits, spike_counts = _execute(graph, images, simulator, advance)
            else:
                execution = _record(loaded, images, simulator, record_only, recorded)
                logits, spike_counts = execution.logits, execution.spike_counts
    seconds = time.perf_counter() - start if beside is None else beside.seconds
    predictions = None if several else predictions_of(logits)
    if output is not None:
        found = {} if predictions is None else {"predictions": predictions}
        write_arrays(output, logits=logits, **found)
    rates = {
        node.name: spike_counts[node.name] / (len(images) * graph.steps * node.type.neurons)
        for node in graph.select(IntegerPopulation)
    }
    sites = sum(node.type.neurons for node in graph.select(IntegerPopulation))
    total = sum(spike_counts.values()) / max(1, len(images) * graph.steps * sites)
    record: dict[str, Any] = {"schema": 1, "images": len(images)}
    if isinstance(images, ImageFiles) and images.preset is not None:
        record["preprocess"] = images.preset.name
    if truth is not None:
        record["accuracy"] = _share_alike(predictions, truth)
    if wanted is not None:
        own = predictions_of(wanted)
        record["agreement"] = _share_alike(predictions, own)
        if truth is not None:
            record["reference_accuracy"] = float((own == truth).mean())
    record |= {
        "spike_rate": total,
        "spike_rates": rates,
        "seconds": seconds,
        "executor": executor if beside is None else "lava",
    }
    if beside is not None:
        record["lava"] = lava_record(beside)
    if simulator is not None:
        record["kernels"] = _kernels(simulator, kernels)
    if as_json:
        print_json(record)
    else:
        _print(record, output)
    if beside is None:
        return 0
    if not as_json:
        print_verdict(beside)
    return 0 if beside.comparison.first is None else 1


def _share_alike(predictions: NDArray[np.int64] | None, others: NDArray[np.int64]) -> float:
    """The share of images with the same class; 0 where there are no predictions."""
    return 0.0 if predictions is None else float((predictions == others).mean())


def _images(given: Any, program: Any, data: str, limit: int | None) -> ImageSource:
    """Files as the program's preprocessing makes them, or an array that has its shape already."""
    from snncc.ir.projections import Pixels
    from snncc.runtime.data_files import images_for
    from snncc.runtime.image_folder import ImageFolder
    from snncc.runtime.preprocessing import preset_of

    pixels = program.graph.select(Pixels)
    shape = next(node.op.shape for node in pixels if isinstance(node.op, Pixels))
    if isinstance(given, ImageFolder):
        return given.images(shape, preset_of(program.provenance), limit)
    images = images_for(given, shape, data)[:limit]
    if len(images) == 0:
        raise SnnccError("SNN016", f"{data} holds no images")
    return images


def _simulator(program: Any, threads: int | None, kernels: "Kernels | None") -> "Simulator":
    from snncc.runtime.kernel_choice import known_rates
    from snncc.runtime.simulator import Simulator

    rates = known_rates(program.provenance)
    return Simulator(program.graph, threads, kernels or "event", rates)


def _kernels(simulator: "Simulator", asked: str | None) -> dict[str, Any]:
    """What was asked for, the layers that are matrix products, and of which library."""
    found: dict[str, Any] = {"asked": asked or "event", "dense": list(simulator.dense_layers)}
    if found["dense"]:
        from snncc.runtime.products import library

        found["library"] = library()
    if asked is not None and simulator.general:
        found["reason"] = simulator.general
    return found


def _execute(
    graph: Any, images: ImageSource, simulator: "Simulator | None", advance: Any
) -> tuple[Any, Any]:
    """Logits of every image and spikes of every population; reads as many images as run at once."""
    run: Callable[[Any], Execution]
    if simulator is None:
        from snncc.backends.cpu import plan_for_cpu
        from snncc.runtime.interpreter import interpret

        size, run = plan_for_cpu(graph).images, partial(interpret, graph)
    else:
        size, run = simulator.images_at_once, simulator.run
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
    images: ImageSource,
    simulator: "Simulator | None",
    names: tuple[str, ...],
    path: Path,
) -> "Execution":
    from snncc.artifact import program_digest
    from snncc.runtime import ALL
    from snncc.runtime.executors import executor_of, running
    from snncc.runtime.recording import run_recorded, save_recording

    execute = running(simulator) if simulator else executor_of(program.graph, "interpreter")
    execution, recording = run_recorded(
        program.graph, images[0 : len(images)], execute, names or ALL, program_digest(program)
    )
    save_recording(path, recording)
    return execution


def _labels(
    spec: str, given: Any, data: str, limit: int | None, count: int, classes: int
) -> NDArray[np.int64]:
    from snncc.runtime.data_files import read_labels
    from snncc.runtime.image_folder import ImageFolder

    if spec == "folders" and isinstance(given, ImageFolder):
        return given.labels(classes)[:limit]
    labels = read_labels(spec, data)[:limit]
    if len(labels) != count:
        raise SnnccError("SNN016", f"{len(labels)} labels for {count} images")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise SnnccError(
            "SNN016",
            f"labels are {labels.min()}..{labels.max()}, the program has classes 0..{classes - 1}",
        )
    return labels


def _reference(spec: str, data: str, limit: int | None, count: int, classes: int) -> Any:
    from snncc.runtime.data_files import beside, read_array

    logits = read_array(beside(spec, data))[:limit]
    if logits.shape != (count, classes) or not np.issubdtype(logits.dtype, np.floating):
        raise SnnccError(
            "SNN016",
            f"reference logits are {logits.dtype} {list(logits.shape)}, not float [{count}, "
            f"{classes}]",
        )
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if bad.size:
        raise SnnccError(
            "SNN016",
            f"reference logits of {bad.size} of {count} images are not finite, of image {bad[0]} "
            "first",
            why="NaN and infinity have no largest class to compare with",
            help="find out where the original network's answers became NaN or infinite",
        )
    return logits


def _print(record: dict[str, Any], output: Path | None) -> None:
    facts: list[tuple[str, object]] = [("images", f"{record['images']:,}")]
    if "preprocess" in record:
        facts.append(("preprocess", record["preprocess"]))
    if "accuracy" in record:
        facts.append(("accuracy", f"{record['accuracy']:.2%}"))
    if "reference_accuracy" in record:
        facts.append(("original network", f"{record['reference_accuracy']:.2%}"))
    if "agreement" in record:
        facts.append(("agreement", f"{record['agreement']:.2%} of predictions are the original's"))
    each = 1000.0 * record["seconds"] / record["images"]
    facts.append(("spike rate", f"{record['spike_rate']:.2%} of neurons at a step"))
    facts.append(("time", f"{record['seconds']:.2f} s, {each:.2f} ms an image, start included"))
    if "kernels" in record and record["kernels"]["asked"] != "event":
        facts.append(("kernels", _products(record["kernels"])))
    if output is not None:
        facts.append(("written", output))
    print_facts(facts)
    click.echo()
    rows = [(name, f"{rate:.2%}") for name, rate in record["spike_rates"].items()]
    print_table(rows, ("population", "spike rate"))


def _products(kernels: dict[str, Any]) -> str:
    """A sentence: the execution was free of multiplications, or which layers were not."""
    dense: list[str] = kernels["dense"]
    if not dense:
        why = f": {kernels['reason']}" if "reason" in kernels else ""
        return f"event-driven in every layer{why}"
    shown = dense[:SHOWN] + ["..."] * (len(dense) > SHOWN)
    layers = "layer is a matrix product" if len(dense) == 1 else "layers are matrix products"
    return (
        f"{len(dense)} {layers} of {kernels['library']}, which multiplies: the same bits, but not "
        f"an execution without multiplications ({', '.join(shown)})"
    )
