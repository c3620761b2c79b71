"""`snncc fit`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.cli.command import Command, Rule
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import ChipName, InputPath

if TYPE_CHECKING:
    from snncc.chips.needs import Needs
    from snncc.chips.verdicts import Fit, Violation

RULES = (
    Rule(
        ("changes",),
        lambda given: len(given["chips"]) == 1,
        "a fact is changed of one chip",
        "name one chip with --chip",
    ),
)
NEEDS = (
    *("neurons", "weights", "synapses", "bits", "fan-in", "lists", "fan-out", "delay"),
    *("membrane", "threshold"),
)


@click.command("fit", cls=Command, rules=RULES)
@click.argument("program", type=InputPath(piped=True))
@click.option(
    "--chip",
    "chips",
    type=ChipName(),
    multiple=True,
    metavar="NAME|FILE.toml",
    help="A chip by name, or a description of yours; more than one of them. Without: all chips.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another fact in place of the description's, such as cores=120, or cores=unknown.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(program: Path, chips: tuple[str, ...], changes: tuple[str, ...], as_json: bool) -> int:
    """Say whether a program fits a chip, and what it breaks.

    A chip is a description: numbers with their sources. The answer is `fits`, `does not fit` with
    every limit that is broken, or `cannot be said`, with what is not known of the chip; a fact that
    nobody verified is named where the answer rests on it. For one chip also what each layer needs,
    and the nearest change that fits. Exit code 0 when the program fits every chip that is named.
    """
    from snncc.artifact import load_program
    from snncc.chips.fitting import Fitter
    from snncc.chips.reading import chip_named, shipped
    from snncc.chips.verdicts import FITS

    described = [chip_named(name, changes) for name in chips or shipped()]
    fitter = Fitter(load_program(program).graph)
    fits = [fitter.fit(chip) for chip in described]
    if as_json:
        record = {"schema": 1, "synapses_of_projections": fitter.unrolled.counted}
        needs = {"needs": _needs_record(fitter.needs), "chips": _records(fits)}
        print_json(record | needs)
    elif len(fits) == 1:
        _print_one(fits[0], changes, fitter.unrolled.counted)
    else:
        _print_all(fits)
    return 0 if all(fit.answer == FITS for fit in fits) else 1


def _records(fits: "Sequence[Fit]") -> list[dict[str, Any]]:
    from dataclasses import asdict

    from snncc.chips.reading import facts_of

    return [
        {
            "chip": fit.chip.name,
            "title": fit.chip.title,
            "family": fit.chip.family,
            "answer": fit.answer,
            "cores": fit.cores,
            "violations": [asdict(each) for each in fit.violations],
            "unknown": [asdict(each) for each in fit.unsaid],
            "leans_on_unverified": list(fit.leaning),
            "notes": list(fit.notes),
            "facts": dict(facts_of(fit.chip)),
        }
        for fit in fits
    ]


def _needs_record(needs: "Sequence[Needs]") -> list[dict[str, Any]]:
    from dataclasses import asdict

    found: list[dict[str, Any]] = []
    for each in needs:
        connections = each.connections
        known = None if connections is None else asdict(connections)
        if known is not None and connections is not None:
            known["messages"] = connections.messages
        found.append(
            {
                "layer": each.name,
                "neurons": each.neurons,
                "shared_weights": each.shared_weights,
                "connections": known,
                "delay_steps": each.delay,
                "depth": each.depth,
                "membrane_bits": each.state_bits,
                "threshold_bits": each.threshold_bits,
                "distinct_thresholds": each.thresholds,
                "constants_by_step": list(each.by_step),
            }
        )
    return found


def _print_all(fits: "Sequence[Fit]") -> None:
    rows = [
        (
            fit.chip.name,
            fit.answer,
            "-" if fit.cores is None else f"{fit.cores:,}",
            len(fit.violations),
            len(fit.unsaid),
            len(fit.leaning),
            "; ".join(_kinds(fit)) or "-",
        )
        for fit in fits
    ]
    header = ("chip", "answer", "cores", "broken", "unknown", "unverified", "what")
    print_table(rows, header, left=len(header))


def _kinds(fit: "Fit") -> list[str]:
    """What is broken, or else what is unknown, in words."""
    if fit.violations:
        return list(dict.fromkeys(each.resource for each in fit.violations))
    return list(dict.fromkeys(each.resource for each in fit.unsaid))


def _print_one(fit: "Fit", changes: Sequence[str], synapses: int) -> None:
    chip = fit.chip
    print_facts(
        [
            ("chip", f"{chip.title}, {chip.family}"),
            ("answer", fit.answer),
            ("cores", "not cut" if fit.cores is None else f"{fit.cores:,}"),
            ("synapses", f"{synapses:,} of all projections, each once"),
            ("leans on", ", ".join(fit.leaning) or "no unverified fact"),
            *((("changed", ", ".join(changes)),) if changes else ()),
        ]
    )
    say()
    print_table([_needs_row(each) for each in fit.needs], ("layer", *NEEDS))
    if fit.violations:
        say()
        rows = [
            (each.layer, each.resource, _shown(each.need), _shown(each.limit), each.change or "-")
            for each in _by_resource(fit.violations)
        ]
        header = ("broken by", "resource", "need", "limit", "nearest change that fits")
        print_table(rows, header, left=len(header))
    if fit.unsaid:
        say()
        unknown = [(u.layer, u.resource, u.fact or "-", u.why) for u in fit.unsaid]
        print_table(unknown, ("asked by", "resource", "unknown fact", "why it is unknown"), left=4)
    for note in fit.notes:
        say(f"note: {note}")
    for key in fit.leaning:
        say(f"not verified: {key}: {chip.fact(key).source}")


def _by_resource(violations: "Sequence[Violation]") -> "list[Violation]":
    kinds = list(dict.fromkeys(each.resource for each in violations))
    return sorted(violations, key=lambda each: kinds.index(each.resource))


def _shown(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _needs_row(needs: "Needs") -> tuple[object, ...]:
    found = needs.connections
    inside: tuple[object, ...] = ("?", "?", "?", "?", "?")
    if found is not None:
        inside = (
            f"{found.synapses + found.image_synapses:,}",
            found.weight_bits,
            f"{found.fan_in:,}",
            f"{found.table_entries:,}",
            f"{found.fan_out:,}",
        )
    return (
        needs.name,
        f"{needs.neurons:,}",
        f"{needs.shared_weights:,}",
        *inside,
        needs.delay,
        needs.state_bits,
        needs.threshold_bits,
    )
