"""`snncc export`."""

from pathlib import Path

import click

from snncc.cli.command import Command
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import OutputFolder, ProgramPath
from snncc.cli.registered import Registered
from snncc.targets.registry import exporter, that_export


@click.command("export", cls=Command)
@click.argument("program", type=ProgramPath())
@click.option("--to", "target", type=Registered(that_export), required=True, help="What to emit.")
@click.option("-o", "--output", type=OutputFolder(), required=True, help="Directory to write.")
@click.option("--force", is_flag=True, help="Replace a bundle that is there, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(program: Path, target: str, output: Path, force: bool, as_json: bool) -> None:
    """Emit a program for another system.

    `lava`: a directory of Python and integers that builds the network from Lava processes. It needs
    lava-nc 0.10.0 and NumPy under Python 3.10, and nothing of snncc; see its README.md.
    """
    from snncc.artifact import load_program, program_digest

    loaded = load_program(program)
    written, sha = exporter(target)(loaded, output, force), program_digest(loaded)
    if as_json:
        found = {"schema": 1, "target": target, "directory": str(output), "program": sha}
        print_json({**found, **written.record})
        return
    print_facts(
        [
            ("written", output),
            ("program", f"{sha[:16]}…, profile {loaded.graph.profile}"),
            *written.facts,
        ]
    )
    if written.rows:
        say()
        print_table(written.rows, tuple(written.columns), left=len(written.columns))
