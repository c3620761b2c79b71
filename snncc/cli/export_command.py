"""`snncc export`."""

from pathlib import Path

import click

from snncc.cli.command import Command
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import InputPath, OutputFolder

TARGETS = ["lava"]


@click.command("export", cls=Command)
@click.argument("program", type=InputPath())
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="What to emit.")
@click.option("-o", "--output", type=OutputFolder(), required=True, help="Directory to write.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(program: Path, target: str, output: Path, force: bool, as_json: bool) -> None:
    """Emit a program for another system.

    `lava`: a directory of Python and integers that builds the network from Lava processes. It needs
    lava-nc 0.10.0 and NumPy under Python 3.10, and nothing of snncc; see its README.md.
    """
    from snncc.artifact import load_program, program_digest
    from snncc.backends.lava_nc import schedule_table, write_bundle

    loaded = load_program(program)
    network = write_bundle(loaded, output, force)
    sha, schedule = program_digest(loaded), network.schedule
    rows = schedule_table(loaded.graph, schedule)
    if as_json:
        print_json(
            {
                "schema": 1,
                "target": target,
                "directory": str(output),
                "program": sha,
                "processes": len(network.processes),
                "relays": len(schedule.relays),
                "steps": schedule.steps,
                "depth": schedule.depth,
                "period": schedule.period,
                "schedule": [{"steps": s, "value": v, "relays": r} for s, v, r in rows],
            }
        )
        return
    print_facts(
        [
            ("written", output),
            ("program", f"{sha[:16]}…, profile {loaded.graph.profile}"),
            ("processes", f"{len(network.processes)}, {len(schedule.relays)} of them relays"),
            ("steps", f"{schedule.steps} a sample, a new sample every {schedule.period}"),
            ("depth", f"{schedule.depth} steps from an image to the first step of its answer"),
        ]
    )
    say()
    print_table(rows, ("steps", "value", "relays"), left=3)
