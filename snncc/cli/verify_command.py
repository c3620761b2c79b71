"""`snncc verify`."""

from pathlib import Path

import click

from snncc.cli.output import print_json

LEVELS = ["strict", "shift-add", "bit-serial"]


@click.command("verify")
@click.argument("program", type=click.Path(path_type=Path))
@click.option(
    "--level", type=click.Choice(LEVELS), default="shift-add", show_default=True, help="Wanted."
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="JSON",
    help="Write the proof, for others to check.",
)
@click.option(
    "--check",
    "checked",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="JSON",
    help="Only check that a certificate holds for the program.",
)
@click.option("--widths", is_flag=True, help="Every number's interval, and whether it is reached.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path,
    level: str,
    certificate: Path | None,
    checked: Path | None,
    widths: bool,
    as_json: bool,
) -> int:
    """Say whether a program is multiplication-free.

    Exit code 0 when every operation stays within --level, 1 when one does not. Levels: strict <
    shift-add < bit-serial < none; up to bit-serial no multiplier is needed.
    """
    from snncc.artifact import load_program, program_digest
    from snncc.cli.certificates import check_certificate, write_certificate
    from snncc.cli.widths import print_widths, width_records
    from snncc.mfi import Level, prove

    if checked is not None:
        return check_certificate(checked, program, as_json)
    loaded = load_program(program)
    verdict = prove(loaded.graph)
    wanted = Level.parse(level)
    holds = verdict.level <= wanted
    if certificate is not None:
        write_certificate(certificate, program, loaded)
    records = width_records(loaded.graph) if widths else []
    if as_json:
        print_json(
            {
                "schema": 1,
                "program": str(program),
                "sha256": program_digest(loaded),
                "level": verdict.level.label,
                "wanted": level,
                "holds": holds,
                "input": verdict.encoding,
                "output": verdict.readout,
                "current_bits": verdict.current_bits,
                "membrane_bits": verdict.membrane_bits,
                "ops": [
                    {
                        "name": op.name,
                        "module": op.module_path,
                        "op": op.op,
                        "level": op.need.level.label,
                        "arithmetic": list(op.need.arithmetic),
                        "adders": op.need.adders,
                        "reason": op.need.reason,
                        "help": op.need.help,
                    }
                    for op in verdict.ops
                ],
                **({"widths": records} if widths else {}),
            }
        )
        return 0 if holds else 1
    free = verdict.level <= Level.BIT_SERIAL
    click.echo(
        f"{'multiplication-free' if free else 'NOT multiplication-free'}: "
        f"level {verdict.level.label}"
    )
    click.echo(f"  input   {verdict.encoding}")
    click.echo(f"  output  {verdict.readout}")
    for each in Level:
        names = [op for op in verdict.ops if op.need.level is each]
        if names:
            click.echo(f"  {each.label:<10} {len(names)} operations")
    click.echo(
        f"  widths  currents {verdict.current_bits} bits, membranes {verdict.membrane_bits} bits: "
        "no input can overflow them"
    )
    if widths:
        print_widths(records)
    for op in verdict.above(Level.STRICT):
        click.echo(f"{op.need.level.label}: {op.module_path or op.name} ({op.op})")
        click.echo(f"  = why: {op.need.reason}; {op.need.adders} adders an element at most")
        if op.need.help:
            click.echo(f"  = help: {op.need.help}")
    if not holds:
        click.echo(f"no: {len(verdict.above(wanted))} operations are above {level}")
    return 0 if holds else 1
