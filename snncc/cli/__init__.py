"""The command line: `snncc compile | verify | run | inspect`."""

from snncc.cli.main import cli, main

__all__ = ["cli", "main"]
