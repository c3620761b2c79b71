"""`snncc report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Given, Rule, say_limit
from snncc.cli.output import print_facts, print_json, say
from snncc.cli.path_types import ChipName, DataPath, InputPath, KeyOrDataPath, OutputFile
from snncc.cli.progress import progress
from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.report.cores import CoreFacts
    from snncc.report.gather import Given as Asked

PAGE = OutputFile("a page", ".html")


def _runs(given: Given) -> bool:
    return given["data"] is not None


RULES = (
    Rule(
        ("labels", "reference", "beside", "layers", "limit", "detail", "profile", "threads"),
        _runs,
        "it is about a run, and there are no images",
        "give DATA after the program",
    ),
    Rule(
        ("chip", "spikes"),
        lambda given: given["mapping"] is not None,
        "it is about a mapping, and there is none",
        "give --mapping FILE",
    ),
)


@click.command("report", cls=Command, rules=RULES)
@click.argument("program", type=InputPath(piped=True))
@click.argument("data", type=DataPath(), required=False, metavar="[DATA.npz[:KEY]|FOLDER]")
@click.option("-o", "--output", type=PAGE, required=True, help="The page (.html).")
@click.option(
    "--labels", type=KeyOrDataPath(), metavar="KEY|NPZ:KEY|folders", help="For the accuracy."
)
@click.option(
    "--reference", type=KeyOrDataPath(), metavar="KEY|NPZ:KEY", help="The original's logits."
)
@click.option(
    "--beside", type=InputPath(), metavar="NPZ|SNNCC", help="A recording, or another program."
)
@click.option("--layer", "layers", multiple=True, metavar="NAME", help="Its raster; repeat.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N images.")
@click.option(
    "--detail",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Images that are looked at neuron by neuron.",
)
@click.option(
    "--register",
    type=click.IntRange(2, 64),
    default=16,
    show_default=True,
    metavar="BITS",
    help="Of the line that widths are held against.",
)
@click.option(
    "--mapping", type=InputPath(), metavar="FILE", help="What snncc map -o wrote: shows the cores."
)
@click.option(
    "--chip",
    type=ChipName(),
    metavar="NAME|FILE.toml",
    help="Of the mapping; without it the shipped one that the mapping names.",
)
@click.option(
    "--spikes", type=InputPath(), metavar="FILE.npz", help="The recording that placed its cores."
)
@click.option("--profile", is_flag=True, help="Time too; two pages are then not alike.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N")
@click.option("--json", "as_json", is_flag=True, help="The facts as one JSON object on stdout.")
def command(
    program: Path,
    data: str | None,
    output: Path,
    labels: str | None,
    reference: str | None,
    beside: Path | None,
    layers: tuple[str, ...],
    limit: int | None,
    detail: int,
    register: int,
    mapping: Path | None,
    chip: str | None,
    spikes: Path | None,
    profile: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write one page with pictures: what a program is, whether it multiplies, what it does on DATA.

    The page is one HTML file that loads nothing. Without DATA it shows the program alone, and says
    of every other section which option brings it.
    """
    from snncc.artifact import check_writable, load_program
    from snncc.cli.run.rules import say_threads
    from snncc.report.beside import other_of
    from snncc.report.extras import require_libraries
    from snncc.report.gather import Given as Asked
    from snncc.report.gather import gather
    from snncc.report.page.rendering import write_report

    require_libraries()
    check_writable(output)
    loaded = load_program(program)
    say_threads(threads)
    other = None if beside is None else other_of(beside, loaded)
    options: dict[str, Any] = {"other": other, "layers": layers, "detail": detail}
    if mapping is not None:
        options["cores"] = _cores(loaded, mapping, chip, spikes)
    options |= {"register": register, "profile": profile, "threads": threads}
    asked = Asked(**options)
    if data is not None:
        asked = _with_data(asked, loaded, data, labels, reference, limit)
    with progress("reporting", quiet=as_json) as advance:
        facts = gather(loaded, asked, lambda what, done, of: advance(done, of))
        size = write_report(output, facts)
    if as_json:
        print_json({"schema": 1, "report": str(output), "bytes": size, **facts.record()})
        return
    from snncc.report.page.rendering import missing_of

    say(facts.verdict.sentence)
    print_facts([("written", f"{output}, {size:,} bytes")])
    for name, missing in missing_of(facts):
        say(f"  without {name}: {missing}")


def _cores(program: "Program", path: Path, chip: str | None, spikes: Path | None) -> "CoreFacts":
    """A mapping, recounted."""
    from snncc.artifact import program_digest
    from snncc.chips.activity import read_activity
    from snncc.chips.mapping import chip_of, read_mapping, require_spikes
    from snncc.chips.reading import chip_named
    from snncc.report.cores import cores_of

    record = read_mapping(path)
    described = chip_named(chip or chip_of(record, path))
    if spikes is None:
        return cores_of(program, described, record, None)
    require_spikes(record)
    seen = read_activity(spikes, program.graph, program_digest(program))
    return cores_of(program, described, record, seen)


def _with_data(
    asked: "Asked",
    program: "Program",
    data: str,
    labels: str | None,
    reference: str | None,
    limit: int | None,
) -> "Asked":
    """With images, labels and the original's answers."""
    from dataclasses import replace

    from snncc.cli.given_frames import open_given
    from snncc.cli.run.truth import labels_of, reference_of
    from snncc.runtime.answers import class_axis, predictions_of

    given = open_given(program, data)
    images = _images(given, program, data, limit)
    shape = program.graph[program.graph.output].type.shape
    if labels is not None or reference is not None:
        class_axis(shape)
    count, classes = len(images), max(shape, default=1)
    truth = None if labels is None else labels_of(labels, given, data, limit, count, classes)
    logits = None if reference is None else reference_of(reference, data, limit, count, classes)
    original = None if logits is None else predictions_of(logits)
    return replace(asked, images=images, labels=truth, original=original)


def _images(given: Any, program: "Program", data: str, limit: int | None) -> Any:
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
    if len(images) == 0:
        raise SnnccError("SNN016", f"{data} holds no images")
    return images[:limit]
