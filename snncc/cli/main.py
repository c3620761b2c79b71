"""Commands by name, loaded when used; exit codes and errors in one place."""

import importlib
import json
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from snncc import __version__
from snncc.cli.manner import begin, shared_options

if TYPE_CHECKING:
    from snncc.diagnostics import SnnccError

COMMANDS = {
    "compile": "snncc.cli.compile.command",
    "verify": "snncc.cli.verify.command",
    "run": "snncc.cli.run.command",
    "evaluate": "snncc.cli.evaluate_command",
    "inspect": "snncc.cli.inspect_command",
    "frames": "snncc.cli.frames_command",
    "count": "snncc.cli.count_command",
    "compare": "snncc.cli.compare_command",
    "fit": "snncc.cli.fit_command",
    "map": "snncc.cli.map_command",
    "report": "snncc.cli.report_command",
    "warm": "snncc.cli.warm_command",
    "export": "snncc.cli.export_command",
    "targets": "snncc.cli.targets_command",
    "doctor": "snncc.cli.doctor_command",
    "explain": "snncc.cli.explain_command",
}
SUMMARIES = {
    "compile": "Compile a trained network to an integer program.",
    "verify": "Say whether a program is multiplication-free.",
    "run": "Run a program on images.",
    "evaluate": "Evaluate a program on a whole data set, resumable, on one machine or many.",
    "inspect": "Show what a program consists of.",
    "frames": "Make frames of whole numbers from files of events.",
    "count": "Count synaptic operations and spikes on given data.",
    "compare": "Find the first spike that differs between two executions, and why.",
    "fit": "Say whether a program fits a chip, and what it breaks.",
    "map": "Put the neurons of a program on the cores of a chip.",
    "report": "Write one page with pictures: verdict, network, spikes, widths, work.",
    "warm": "Make the simulator's machine code now, so that the first run need not.",
    "export": "Emit a program for another system: Lava, ONNX, C, NIR.",
    "targets": "List all targets, and what this machine can do for each.",
    "doctor": "Say what this machine has, and make a Lava environment.",
    "explain": "Say what the code of an error means, and what to do.",
}
INTERNAL_ERROR = 70
INTERRUPTED = 130


class _LazyGroup(click.Group):
    """Imports a command's module only when the command is used: `--help` stays quick."""

    def __init__(self, *attributes: Any, **named: Any) -> None:
        super().__init__(*attributes, **named)
        self._shared = shared_options()

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from snncc.cli.usage import UnknownName

            raise UnknownName(f"no command is called {cmd_name!r}", cmd_name, [*COMMANDS], ctx)
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The group's own and those of every command."""
        return [*self.params, *self._shared, *super().get_params(ctx)[len(self.params) :]]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="snncc")
def cli() -> None:
    """Compile trained spiking networks to integer programs without multiplication.

    Exit codes: 0 ok, 1 the answer is no, 2 usage, 3 unreadable or damaged file, 4 the model has
    something unsupported, 5 an optional dependency is missing, 6 a backend failed or took too long,
    70 internal error.
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point; never ends in a bare traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Runs one command line and gives its exit code."""
    shown = warnings.showwarning
    begin(arguments)
    warnings.showwarning = partial(_show, shown)
    try:
        code = cli.main(args=arguments, prog_name="snncc", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.1 has none
            error.show()
            return error.exit_code
        from snncc.cli.usage import as_error

        return _report(as_error(error), "--json" in arguments)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from snncc.diagnostics import SnnccError  # here, so that --help need not import it

        if isinstance(error, SnnccError):
            return _report(error, "--json" in arguments)
        return _crashed(arguments)
    finally:
        warnings.showwarning = shown


def _show(
    usual: Callable[..., None], message: Warning | str, category: type[Warning], *place: Any
) -> None:
    """Shows snncc's own warnings as notes, and others as Python does."""
    if category.__module__.startswith("snncc."):
        from snncc.cli.output import say

        say(f"note: {message}", err=True)
    else:
        usual(message, category, *place)


def _report(error: "SnnccError", as_json: bool) -> int:
    from snncc.cli.output import say
    from snncc.diagnostics.errors import DETAIL

    for line in str(error).split("\n"):
        say(line, err=True)
    count = len(error.findings)
    if count > 1:
        say(f"{count} errors", err=True)
    if as_json:
        findings = [
            {
                "code": f.code,
                "message": f.message,
                "module": f.loc.module_path if f.loc else None,
                "file": f.loc.file if f.loc else None,
                "line": f.loc.line if f.loc else None,
                "why": f"\n{DETAIL}".join((f.why, *f.details)),
                "help": f.help,
            }
            for f in error.findings
        ]
        click.echo(json.dumps({"schema": 1, "errors": findings}))
    return error.exit_code


def _crashed(arguments: list[str]) -> int:
    """Writes the traceback to a file that can be sent with a report."""
    error = sys.exc_info()[1]
    handle, path = tempfile.mkstemp(prefix="snncc-crash-", suffix=".txt")
    with os.fdopen(handle, "w") as file:
        file.write(f"snncc {__version__} {arguments}\n{traceback.format_exc()}")
    from snncc.cli.output import say

    name, text = type(error).__name__, str(error).partition(chr(10))[0]
    say(f"internal error: {name}: {text}", err=True)
    say(f"This is a bug of snncc. Details are in {path}; please report them.", err=True)
    return INTERNAL_ERROR
