"""`benchmarks/kill_commands.py` kills whatever writes: every option that takes an output."""

import importlib

import click
import pytest
from kill_commands import CASES

from snncc.cli.main import COMMANDS
from snncc.cli.path_types import PathType

ELSEWHERE = {("doctor", "making"), ("evaluate", "store")}
"""`test_a_killed_making_is_made_again` of tests/lava kills the one, which takes a Python 3.10;
tests/evaluation kills the other, which grows shard by shard."""
CALLS = [case.call.split() for case in CASES.values()]
OUTPUTS = [
    (name, param)
    for name in COMMANDS
    for param in importlib.import_module(COMMANDS[name]).command.params
    if isinstance(param.type, PathType) and param.type.writes
    if (name, param.name) not in ELSEWHERE
]


@pytest.mark.parametrize(("name", "param"), OUTPUTS, ids=lambda v: getattr(v, "name", v))
def test_every_output_is_killed(name: str, param: click.Parameter) -> None:
    assert any(call[0] == name and {*param.opts} & {*call} for call in CALLS)


def test_every_form_of_export_is_killed() -> None:
    command = importlib.import_module(COMMANDS["export"]).command
    (target,) = (param for param in command.params if "--to" in param.opts)
    forms = {call[call.index("--to") + 1] for call in CALLS if call[0] == "export"}
    assert forms == {*target.type.names()}
