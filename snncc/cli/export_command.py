"""`snncc export`."""

from pathlib import Path

import click

from snncc.cli.command import Command, Rule
from snncc.cli.output import print_facts, print_json, print_table, say
from snncc.cli.path_types import OutputOfTarget, ProgramPath
from snncc.cli.registered import Registered
from snncc.targets.registry import TARGETS, exporter, that_export, that_have_forms

RULES = (
    Rule(
        ("form",),
        lambda given: bool(TARGETS[given["target"]].forms),
        "programs are exported to this target in one form alone",
    ),
)


@click.command("export", cls=Command, rules=RULES)
@click.argument("program", type=ProgramPath())
@click.option("--to", "target", type=Registered(that_export), required=True, help="What to emit.")
@click.option(
    "--form",
    type=Registered(that_have_forms),
    help="Of ONNX: all steps in one run (scan, the default), or one step a run. Of C: active "
    "inputs are listed (events, the default), or all weights are masked and added.",
)
@click.option(
    "-o", "--output", type=OutputOfTarget(), required=True, help="Directory or file to write."
)
@click.option(
    "--force", is_flag=True, help="Replace an earlier export that is there, and nothing else."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    program: Path, target: str, form: str | None, output: Path, force: bool, as_json: bool
) -> None:
    """Emit a program for another system.

    `lava`: a directory of Python and integers that builds the network from Lava processes. It needs
    lava-nc 0.10.0 and NumPy under Python 3.10, and nothing of snncc; see its README.md.

    `onnx`: one file, an integer graph of opset 17 with the program's bits, whose states are inputs
    and outputs. Past 2 GB its constants lie in a file beside it.

    `c`: a directory with a header, a source and an example in portable C99: no library, static
    memory, no multiplication; `--form dense` takes a time that no data change.

    `nir`: one file, a graph of NIR in real numbers, of programs that NIR can say: maps,
    convolutions and neurons that reset to 0. `snncc compile --convention snncc` takes it back.
    """
    from snncc.artifact import load_program, program_digest

    loaded = load_program(program)
    written, sha = exporter(target, form)(loaded, output, force), program_digest(loaded)
    if as_json:
        kind = "directory" if TARGETS[target].file is None else "file"
        found = {"schema": 1, "target": target, kind: str(output), "program": sha}
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
