"""`snncc map`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Rule
from snncc.cli.map_estimate import print_estimate
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import ChipName, InputPath, OutputFile

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.chips.activity import Activity
    from snncc.chips.facts import Chip

RULES = (
    Rule(
        ("output", "prefer", "chips", "seed"),
        lambda given: given["checked"] is None,
        "--check reads a mapping and makes none",
    ),
    Rule(
        ("seed",),
        lambda given: given["spikes"] is not None,
        "places are searched by spikes that were recorded",
        "give --spikes FILE.npz",
    ),
)
COLUMNS = {
    "neurons": "neurons",
    "in_axons": "lists",
    "out_axons": "targets",
    "synapse_bits": "synapse bits",
    "thresholds": "thresholds",
    "formats": "formats",
}


@click.command("map", cls=Command, rules=RULES)
@click.argument("program", type=InputPath(piped=True))
@click.option(
    "--chip",
    type=ChipName(),
    required=True,
    metavar="NAME|FILE.toml",
    help="A chip by name, or a description of yours.",
)
@click.option("-o", "--output", type=OutputFile("a mapping", ".json"), help="File to write.")
@click.option(
    "--prefer",
    type=click.Choice(("messages", "cores")),
    default="messages",
    show_default=True,
    help="What is to be few: messages between cores, or cores.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another fact in place of the description's, such as cores=120.",
)
@click.option(
    "--chips",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="N",
    help="So many chips, side by side.",
)
@click.option(
    "--spikes",
    type=InputPath(),
    metavar="FILE.npz",
    help="A recording, by which cores get places on the mesh; traffic and energy are told.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 1 << 31),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the search for places.",
)
@click.option("--check", "checked", type=InputPath(), help="Only check a mapping that was written.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    chip: str,
    output: Path | None,
    prefer: str,
    changes: tuple[str, ...],
    chips: int,
    spikes: Path | None,
    seed: int,
    checked: Path | None,
    as_json: bool,
) -> int:
    """Put the neurons of a program on the cores of a chip.

    For chips whose cores have memories for the synapses of their neurons. Layers are cut into whole
    chunks of their axes and packed; nothing depends on data, and the same program gives the same
    file. With --spikes, a recording of all populations, cores get places on the mesh, so that few
    spikes go over few links, and the energy and time of an image are estimated from published
    figures. What `snncc fit` does not call `fits` is not mapped. A checker that shares no code with
    the mapper looks at every mapping, and with --check at one that was written: exit code 1 when
    it rejects.
    """
    from snncc.artifact import load_program
    from snncc.artifact.writing import check_writable
    from snncc.chips.reading import chip_named

    described = chip_named(chip, changes)
    if output is not None:
        check_writable(output)
    loaded = load_program(program)
    seen = None if spikes is None else _activity(loaded, spikes)
    if checked is not None:
        return _check(loaded, described, checked, seen, as_json)
    asked = Asked(prefer, chips, seen, seed)
    return _make(loaded, described, asked, output, as_json)


@dataclass(frozen=True)
class Asked:
    """Options of a mapping that is made."""

    prefer: str
    chips: int
    activity: "Activity | None"
    seed: int


def _activity(program: "Program", path: Path) -> "Activity":
    from snncc.artifact import program_digest
    from snncc.chips.activity import read_activity

    return read_activity(path, program.graph, program_digest(program))


def _make(
    program: "Program", chip: "Chip", asked: Asked, output: Path | None, as_json: bool
) -> int:
    from snncc.artifact.writing import write_atomically
    from snncc.chips.boards import side_by_side
    from snncc.chips.mapping import estimate_of, mapped

    found = mapped(program, chip, asked.prefer, asked.chips, asked.activity, asked.seed)
    if output is not None:
        content = json.dumps(found.record, sort_keys=True, indent=1).encode() + b"\n"
        write_atomically(output, lambda file: file.write(content))
    estimate = estimate_of(program, chip, found)
    if as_json:
        record = {"file": None if output is None else str(output), "mapping": found.record}
        print_json(record | ({} if estimate is None else {"estimate": asdict(estimate)}))
        return 0
    _print(side_by_side(chip, found.record.get("chips", 1)), found.record, output)
    if estimate is not None:
        print_estimate(found.record["placement"], estimate)
    return 0


def _print(chip: "Chip", record: dict[str, Any], output: Path | None) -> None:
    cores, there = record["cores"], chip.whole("chip.cores")
    chips = record.get("chips", 1)
    pieces = sum(len(core["pieces"]) for core in cores)
    print_facts(
        [
            ("chip", chip.title + (f", {chips} side by side" if chips > 1 else "")),
            ("cores", f"{len(cores):,}" + ("" if there is None else f" of {there:,}")),
            ("pieces", f"{pieces:,} of {len(record['layers']):,} layers"),
            ("messages", f"{record['messages']:,} a step where every neuron fires"),
            ("checked", "by a checker that shares no code with the mapper: accepted"),
            ("written", "nothing: give -o" if output is None else output),
        ]
    )
    say()
    rows = [
        (
            core["slot"],
            ", ".join(dict.fromkeys(piece["layer"] for piece in core["pieces"])),
            *(f"{core['load'][name]:,}" for name in COLUMNS),
        )
        for core in cores
    ]
    print_table(rows, ("core", "layers", *COLUMNS.values()), left=2)


def _check(
    program: "Program", chip: "Chip", path: Path, seen: "Activity | None", as_json: bool
) -> int:
    from snncc.chips.mapping import read_mapping, require_right, require_spikes
    from snncc.diagnostics import SnnccError

    record = read_mapping(path)
    if seen is not None:
        require_spikes(record)
    faults: list[str] = []
    try:
        require_right(program, chip, record, seen)
    except SnnccError as error:
        faults = [finding.message for finding in error.findings]
    if as_json:
        print_json({"schema": 1, "accepted": not faults, "faults": faults})
    else:
        for fault in faults:
            say(f"rejected: {fault}")
        if not faults:
            say("accepted: the mapping is right for this program and this chip")
    return 1 if faults else 0
