"""`snncc compare`."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Given, Rule, say_limit
from snncc.cli.given_frames import open_given
from snncc.cli.output import print_json, print_table, say
from snncc.cli.path_types import DataPath, InputPath
from snncc.cli.progress import progress
from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.runtime.compare.comparison import Comparison, Divergence, NeuronState, Side


def _recordings(given: Given) -> list[bool]:
    return [given[side].suffix == ".npz" for side in ("a", "b")]


RULES = (
    Rule(("executor_a",), lambda given: not _recordings(given)[0], "A is a recording, it ran"),
    Rule(("executor_b",), lambda given: not _recordings(given)[1], "B is a recording, it ran"),
    Rule(("data",), lambda given: not all(_recordings(given)), "recordings are not run"),
    Rule(("program", "axes"), lambda given: any(_recordings(given)), "neither is a recording"),
)
EXECUTORS = click.Choice(["interpreter", "simulator", "torch"])
TITLES = {
    "rounding": "rounding near the threshold",
    "time-shift": "a time shift",
    "reset-rule": "another rule of the neurons",
    "bug": "a bug: no time shift, no rule of the neurons and no rounding explains it",
    "unknown": "not known",
}


@click.command("compare", cls=Command, rules=RULES)
@click.argument("a", type=InputPath())
@click.argument("b", type=InputPath())
@click.option("--data", type=DataPath(), metavar="NPZ[:KEY]", help="Images that programs run.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option("--executor-a", type=EXECUTORS, help="Runs A, when it is a program.")
@click.option("--executor-b", type=EXECUTORS, help="Runs B, when it is a program.")
@click.option("--program", type=InputPath(), help="That all recordings are of.")
@click.option(
    "--axes", multiple=True, metavar="[NAME=]c,(h w)", help="Of arrays that do not name them."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    a: Path,
    b: Path,
    data: str | None,
    limit: int | None,
    executor_a: str | None,
    executor_b: str | None,
    program: Path | None,
    axes: tuple[str, ...],
    as_json: bool,
) -> int:
    """Find the first layer, step and neuron in which two executions differ, and why.

    A and B are each a program (.snncc), which is run on --data, or a recording (.npz) of
    `snncc run --record` or of another simulator; docs/compare.md describes the layout. A program
    beside itself runs on the interpreter and on the simulator.

    Exit code 0 when both are equal, 1 when they differ.
    """
    from snncc.runtime.compare.axis_orders import parse_order, require_use
    from snncc.runtime.compare.comparison import compare

    orders = [parse_order(text) for text in axes]
    with progress("comparing", quiet=as_json):
        sides, names = _sides((a, b), (executor_a, executor_b), program, data, limit)
        require_use(orders, axes, [side.recording for side in sides])
        result = compare(sides[0], sides[1], orders, limit)
    say_limit(limit, result.images)
    if as_json:
        print_json({"schema": 1, "a": names[0], "b": names[1], **comparison_record(result)})
    else:
        print_comparison(result, names)
    return 0 if result.first is None else 1


def _sides(
    paths: tuple[Path, Path],
    executors: tuple[str | None, str | None],
    program: Path | None,
    data: str | None,
    limit: int | None,
) -> tuple[list["Side"], list[str]]:
    """Both sides, run or read, and what each is called."""
    from snncc.artifact import load_program, program_digest
    from snncc.execution import ALL
    from snncc.runtime.compare.comparison import Side
    from snncc.runtime.executors import executor_of
    from snncc.runtime.recording import load_recording, run_recorded

    recordings = [load_recording(p) if p.suffix == ".npz" else None for p in paths]
    programs = [load_program(p) if p.suffix != ".npz" else None for p in paths]
    stated = None if program is None else load_program(program)
    known = {program_digest(p): p for p in (*programs, stated) if p is not None}
    given = next((r.images for r in recordings if r is not None and r.images is not None), None)
    both_run_one = None not in programs and len({program_digest(p) for p in programs if p}) == 1
    defaults = ("interpreter" if both_run_one else "simulator", "simulator")
    sides: list[Side] = []
    names: list[str] = []
    for i, label in enumerate("AB"):
        one, recording = programs[i], recordings[i]
        if one is not None:
            name = executors[i] or defaults[i]
            images = _images(one, data, given)[:limit]
            execute = executor_of(one.graph, name)
            _, done = run_recorded(one.graph, images, execute, ALL, program_digest(one))
            sides.append(Side(label, done, one.graph))
            names.append(f"{paths[i]} ({name})")
        elif recording is not None:
            if stated is not None and recording.program not in ("", program_digest(stated)):
                raise _of_another(paths[i], program)
            if stated is not None and not recording.program:
                recording = replace(recording, program=program_digest(stated))
            found = known.get(recording.program)
            sides.append(Side(label, recording, None if found is None else found.graph))
            names.append(f"{paths[i]} (recording)")
    return sides, names


def _images(program: "Program", data: str | None, recorded: Any) -> Any:
    """The images that a program runs: the user's, or those of a recording."""
    from snncc.data.files import read_array
    from snncc.data.image_arrays import images_for
    from snncc.data.image_folder import ImageFolder
    from snncc.ir.encodings import frames_of

    if data is None and recorded is None:
        raise click.UsageError("a program is run: give its images with --data NPZ[:KEY]")
    array = recorded if data is None else open_given(program, data)
    if isinstance(array, ImageFolder):
        array = read_array(str(data))  # which says that a folder is no array
    frames = frames_of(program.graph)
    images = images_for(array, frames.shape, data or "what was recorded", frames.domain)
    if len(images) == 0:
        raise SnnccError("SNN016", f"{data or 'what was recorded'} holds no images")
    return images


def _of_another(path: Path, program: Path | None) -> SnnccError:
    return SnnccError(
        "SNN016",
        f"{path} is not a recording of {program}",
        why="it carries the sha256 of another program",
        help="give the program that was recorded",
    )


def comparison_record(result: "Comparison") -> dict[str, Any]:
    """What was found, in JSON form."""
    record: dict[str, Any] = asdict(result)
    record["equal"] = result.first is None
    if result.first is not None:
        first = record["first"]
        first["cause"] = result.first.cause.kind
        first["a"]["distance"] = result.first.a.distance
        first["b"]["distance"] = result.first.b.distance
    return record


def print_comparison(result: "Comparison", names: list[str]) -> None:
    """What was found, for people; `names` say what A and B are."""
    first = result.first
    what = f"{result.images:,} images, {result.steps} steps, {len(result.layers)} layers"
    say(f"A  {names[0]}")
    say(f"B  {names[1]}")
    if first is None:
        say(f"equal: {what}{_beyond(result)}")
        return
    neuron = " ".join(f"{axis}={index}" for axis, index in first.neuron.items())
    at = "" if first.step is None else f", step {first.step}"
    say(f"different: {what}{_beyond(result)}")
    say()
    say(f"first in {first.layer}, image {first.image}{at}, neuron {neuron}: {first.what}")
    say()
    _print_states(first)
    say()
    say(f"cause: {TITLES[first.cause.kind]}")
    say(f"  {first.cause.text}")
    for cause in first.causes:
        if cause is not first.cause and cause.kind != "bug":
            say(f"{'also' if cause.fits else 'not'} {TITLES[cause.kind]}")
            say(f"  {cause.text}")
    if first.missing:
        say(f"not compared, though it reaches this layer: {', '.join(first.missing)}")
    _print_layers(result)


def _beyond(result: "Comparison") -> str:
    parts: list[str] = []
    if any(layer.membranes is not None for layer in result.layers):  # counts have none
        parts.append("spikes and membranes")
    else:
        parts.append("spikes only")
    if result.left_out:
        parts.append(f"{len(result.left_out)} populations of the program are in one side only")
    if result.readouts:
        one = result.readouts == 1
        parts.append("1 answer differs" if one else f"{result.readouts:,} answers differ")
    return "; " + "; ".join(parts)


def _print_states(first: "Divergence") -> None:
    rows: list[tuple[object, ...]] = []
    for title, field in (
        ("spike", "spike"),
        ("current that arrived", "current"),
        ("added to the membrane", "drive"),
        ("membrane before", "before"),
        ("membrane at the threshold", "level"),
        ("threshold", "threshold"),
        ("distance to it", "distance"),
        ("membrane after", "after"),
    ):
        values: list[int | None] = [getattr(state, field) for state in (first.a, first.b)]
        if first.step is None and field != "level":
            continue
        if any(value is not None for value in values):
            rows.append((title, *("?" if v is None else f"{v:,}" for v in values)))
        if field == "distance" and first.step is not None:
            rows.append(("  of the threshold", *(_share(s) for s in (first.a, first.b))))
    for source in dict.fromkeys([*(first.a.sources or ()), *(first.b.sources or ())]):
        each = [(s.sources or {}).get(source) for s in (first.a, first.b)]
        rows.append((f"  from {source}", *("?" if v is None else f"{v:,}" for v in each)))
    print_table(rows, ("", "A", "B"))


def _share(state: "NeuronState") -> str:
    if state.distance is None or not state.threshold:
        return "?"
    return f"{state.distance / abs(state.threshold):.3%}"


def _print_layers(result: "Comparison") -> None:
    say()
    rows = [
        (
            layer.name,
            f"{layer.neurons:,}",
            f"{layer.differing:,}",
            f"{layer.spikes:,}",
            "-" if layer.membranes is None else f"{layer.membranes:,}",
            "" if layer.shift is None else f"{layer.shift:+d}",
        )
        for layer in result.layers
        if layer.differing
    ]
    if not rows:
        return
    header = ("layer", "neurons", "differ", "spikes", "membranes", "shift")
    wide = len(header) if any(row[-1] for row in rows) else len(header) - 1
    print_table([row[:wide] for row in rows], header[:wide])
    if result.first is not None and result.first.step is not None:
        names = [layer.name for layer in result.layers]
        place = names.index(result.first.layer)
        later = sum(layer.differing for layer in result.layers[place + 1 :])
        say(
            f"neurons that differ: {result.layers[place].differing:,} in this layer, none in the "
            f"{place} before it, {later:,} in the {len(names) - place - 1} after it"
        )
