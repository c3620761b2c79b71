"""`snncc frames`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Given, Rule
from snncc.cli.output import print_facts, print_json, say
from snncc.cli.parameters import parse_domain, parse_sensor
from snncc.cli.path_types import InputPath, OutputFile
from snncc.cli.registered import Registered

if TYPE_CHECKING:
    from snncc.events import Framing, Reading
    from snncc.events.stacks import Stack


def _rules() -> list[str]:
    from snncc.events.framing_records import RULES

    return list(RULES)


def _formats() -> list[str]:
    from snncc.events.formats import FORMATS

    return list(FORMATS)


def _chips() -> list[str]:
    from snncc.events.chips import CHIPS_OF_AEDAT2

    return list(CHIPS_OF_AEDAT2)


def _moves() -> list[str]:
    from snncc.events.orientation import MOVES

    return list(MOVES)


OPTIONS = {
    "steps": "steps",
    "window": "window",
    "event_count": "count",
    "overlap": "overlap",
    "incomplete": "incomplete",
    "origin": "origin",
}
"""Parameters that are options of rules, and what rules call them."""


def _takes(given: Given, parameter: str) -> bool:
    from snncc.events.framing_records import RULES

    return OPTIONS[parameter] in RULES[given["by"]].__dataclass_fields__


def _rule_of(parameter: str) -> Rule:
    def holds(given: Given) -> bool:
        return _takes(given, parameter)

    return Rule((parameter,), holds, "the rule that --by names does not take it")


RULES = (
    *(_rule_of(parameter) for parameter in OPTIONS),
    Rule(("clip",), lambda g: g["values"] != "bits", "bits are 0 or 1, there is nothing to clip"),
    Rule(
        ("clip",),
        lambda g: g["domain"] is not None,
        "without --domain no value is beyond it",
        "give --domain LOW..HIGH",
    ),
)


@click.command("frames", cls=Command, rules=RULES)
@click.argument("files", nargs=-1, required=True, type=InputPath(), metavar="FILE...")
@click.option(
    *("-o", "--output"),
    required=True,
    type=OutputFile("an array", ".npz"),
    help="The frames, .npz.",
)
@click.option(
    "--by",
    type=Registered(_rules),
    default="number",
    show_default=True,
    help="Which events share a frame.",
)
@click.option("--steps", type=click.IntRange(min=1), metavar="T", help="Frames of a recording.")
@click.option("--window", type=click.IntRange(min=1), metavar="US", help="Microseconds a frame.")
@click.option(
    "--events", "event_count", type=click.IntRange(min=1), metavar="N", help="Events a frame."
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of a frame and the next, in us or events.",
)
@click.option("--incomplete", is_flag=True, help="Make a frame of the tail too.")
@click.option(
    "--origin",
    type=click.Choice(["first", "zero"]),
    help="Frames begin at the first event or at 0.",
)
@click.option(
    "--values",
    type=click.Choice(["counts", "bits", "signed"]),
    default="counts",
    show_default=True,
    help="What a pixel of a frame says.",
)
@click.option(
    "--domain",
    callback=parse_domain,
    metavar="LOW..HIGH",
    help="What values may be; others are an error.",
)
@click.option("--clip", is_flag=True, help="Values beyond the domain become its ends.")
@click.option(
    "--format", "kind", type=Registered(_formats), help="Of all files; else by their first bytes."
)
@click.option(
    "--sensor",
    callback=parse_sensor,
    metavar="WIDTHxHEIGHT",
    help="In pixels, where files do not say it.",
)
@click.option("--chip", type=Registered(_chips), help="Camera, for AEDAT 2.0 that names none.")
@click.option("--orient", multiple=True, type=Registered(_moves), help="Turn events; repeatable.")
@click.option("--sort", is_flag=True, help="Put events in the order of their times.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only N recordings.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    files: tuple[Path, ...],
    output: Path,
    as_json: bool,
    limit: int | None,
    **given: Any,
) -> None:
    """Make frames of whole numbers from recordings of events.

    Writes x [n, T, C, H, W], one entry a recording, `framing` with what was done, and y with the
    classes where the files say them. Formats: .npz with t, x, y, p; N-MNIST .bin; Prophesee .dat
    and EVT2 .raw; AEDAT 2.0, 3.1 and 4.0; SHD and SSC .h5. docs/events.md says what each rule does.
    """
    from snncc.artifact import check_writable
    from snncc.events import Framing, Reading
    from snncc.events.stacks import frame_files

    framing = Framing(_rule(given), given["values"], given["domain"], given["clip"])
    reading = Reading(given["kind"], given["sensor"], given["chip"], given["orient"], given["sort"])
    check_writable(output)
    stack = frame_files(files, framing, reading, limit)
    if limit is not None and limit > len(stack.values):
        say(f"note: --limit {limit:,}: recordings are {len(stack.values):,}", err=True)
    _write(output, stack, framing, reading)
    if as_json:
        print_json(_record(output, stack, framing, reading))
    else:
        print_facts(_facts(output, stack, framing))


def _rule(given: Given) -> Any:
    """The rule that --by names, with its options."""
    from snncc.diagnostics import SnnccError
    from snncc.events.framing_records import RULES

    rule = RULES[given["by"]]
    options = {OPTIONS[p]: given[p] for p in OPTIONS if _takes(given, p) and given[p] is not None}
    for parameter, option in {"steps": "steps", "window": "window", "events": "count"}.items():
        if option in rule.__dataclass_fields__ and option not in options:
            raise SnnccError(
                "SNN001",
                f"--{parameter} is not given",
                why=f"framing by {rule.name} needs it",
                help="snncc frames --help",
            )
    return rule(**options)


def _write(output: Path, stack: "Stack", framing: "Framing", reading: "Reading") -> None:
    import zipfile

    import numpy as np

    from snncc.data.files import write_named

    done = json.dumps({"schema": 1, "framing": framing.to_json(), "reading": reading.to_json()})
    arrays = {"x": stack.values, "framing": np.array(done)}
    if stack.labels is not None:
        arrays["y"] = stack.labels
    write_named(output, arrays, zipfile.ZIP_DEFLATED)


def _record(output: Path, stack: "Stack", framing: "Framing", reading: "Reading") -> dict[str, Any]:
    return {
        "schema": 1,
        "output": str(output),
        "shape": list(stack.values.shape),
        "type": str(stack.values.dtype),
        "events": stack.events,
        "lowest": stack.low,
        "largest": stack.high,
        "empty_frames": stack.empty,
        "loss": asdict(stack.loss),
        "left_out": stack.left_out,
        "labels": stack.labels is not None,
        "framing": framing.to_json(),
        "reading": reading.to_json(),
    }


LOSSES = {
    "outside": "events in no frame",
    "repeated": "events once more, in frames that overlap",
    "clipped": "taken off by clipping",
    "merged": "events beyond the first at a bit",
    "cancelled": "events that cancelled each other",
}


def _facts(output: Path, stack: "Stack", framing: "Framing") -> list[tuple[str, object]]:
    rule = framing.rule.to_json()
    options = ", ".join(f"{name} {value}" for name, value in rule.items() if name != "rule")
    lost = tuple(f"{n:,} {LOSSES[what]}" for what, n in asdict(stack.loss).items() if n)
    found: list[tuple[str, object]] = [
        ("recordings", f"{len(stack.values):,}, {stack.events:,} events"),
        ("frames", f"{' x '.join(map(str, stack.values.shape))}, {stack.values.dtype}"),
        ("rule", f"{framing.rule.name}: {options}"),
        ("values", f"{framing.values}, {stack.low}..{stack.high} before any clipping"),
        ("not told", lost or "nothing: every event is in the frames once"),
    ]
    if stack.empty:
        found.append(("empty frames", f"{stack.empty:,}"))
    if stack.left_out:
        found.append(("passed over", tuple(f"{n:,} {what}" for what, n in stack.left_out.items())))
    return [*found, ("written", output)]
