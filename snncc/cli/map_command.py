"""`snncc map`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Rule
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import ChipName, InputPath, OutputFile

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.chips.facts import Chip

RULES = (
    Rule(
        ("output", "prefer"),
        lambda given: given["checked"] is None,
        "--check reads a mapping and makes none",
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
@click.option("--check", "checked", type=InputPath(), help="Only check a mapping that was written.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    chip: str,
    output: Path | None,
    prefer: str,
    changes: tuple[str, ...],
    checked: Path | None,
    as_json: bool,
) -> int:
    """Put the neurons of a program on the cores of a chip.

    For chips whose cores have memories for the synapses of their neurons. Layers are cut into whole
    chunks of their axes and packed; nothing depends on data, and the same program gives the same
    file. What `snncc fit` does not call `fits` is not mapped. A checker that shares no code with
    the mapper looks at every mapping, and with --check at one that was written: exit code 1 when
    it rejects.
    """
    from snncc.artifact import load_program
    from snncc.artifact.writing import check_writable
    from snncc.chips.reading import chip_named

    described = chip_named(chip, changes)
    if checked is not None:
        return _check(load_program(program), described, checked, as_json)
    if output is not None:
        check_writable(output)
    return _make(load_program(program), described, prefer, output, as_json)


def _make(program: "Program", chip: "Chip", prefer: str, output: Path | None, as_json: bool) -> int:
    from snncc.artifact.writing import write_atomically
    from snncc.chips.mapping import mapping_of

    record = mapping_of(program, chip, prefer)
    if output is not None:
        content = json.dumps(record, sort_keys=True, indent=1).encode() + b"\n"
        write_atomically(output, lambda file: file.write(content))
    if as_json:
        print_json({"file": None if output is None else str(output), "mapping": record})
        return 0
    _print(chip, record, output)
    return 0


def _print(chip: "Chip", record: dict[str, Any], output: Path | None) -> None:
    cores, there = record["cores"], chip.whole("chip.cores")
    pieces = sum(len(core["pieces"]) for core in cores)
    print_facts(
        [
            ("chip", chip.title),
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


def _check(program: "Program", chip: "Chip", path: Path, as_json: bool) -> int:
    from snncc.chips.mapping import read_mapping, require_right
    from snncc.diagnostics import SnnccError

    record = read_mapping(path)
    faults: list[str] = []
    try:
        require_right(program, chip, record)
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
