"""How the command line speaks: colours, widths, carets, progress, quiet and verbose."""

import io
import json
import re
import sys
import threading
from pathlib import Path

import pytest

from snncc.cli import output, progress
from snncc.cli.main import run
from snncc.cli.manner import begin, in_colour
from snncc.diagnostics import Finding
from snncc.ir import Loc

FACTORY = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        é = self.norm(x) + 1; return é.flatten(2).sum(2)

def make():
    return Net().eval()
"""
ESCAPE = "\x1b["


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("words", "environment", "terminal", "coloured"),
    [
        ([], {}, True, True),
        ([], {}, False, False),
        ([], {"NO_COLOR": "1"}, True, False),
        ([], {"NO_COLOR": ""}, True, True),
        ([], {"TERM": "dumb"}, True, False),
        (["--color", "always"], {"NO_COLOR": "1"}, False, True),
        (["--color=never"], {}, True, False),
        (["--color=never", "--color=always"], {}, False, True),
        (["--color", "pink"], {}, True, True),
    ],
)
def test_colour_is_for_terminals_unless_somebody_says_so(
    words: list[str],
    environment: dict[str, str],
    terminal: bool,
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    begin(words)
    assert in_colour(Terminal() if terminal else io.StringIO()) is coloured
    begin([])


def test_errors_are_coloured_before_and_after_a_commands_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = "error[SNN005]: there is no option --nod\n   = help: perhaps --node"
    told = []
    for words in (
        "--color=always inspect p --nod",
        "inspect p --nod --color always",
        "inspect p --nod",
    ):
        assert run(words.split()) == 2
        told.append(capsys.readouterr().err)
    assert told[0] == told[1]
    assert ESCAPE in told[0]
    assert ESCAPE not in told[2]
    assert re.sub(r"\x1b\[\d+m", "", told[0]) == told[2]
    assert told[2].startswith(plain)


def test_what_files_say_is_shown_and_not_obeyed_in_colour_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    begin(["--color=always"])
    output.say("note: \x1b[2J\nerror[SNN001]: forged")
    begin([])
    text = capsys.readouterr().out
    assert text == "\x1b[36mnote:\x1b[0m \\x1b[2J\\nerror[SNN001]: forged\n"


ROWS = [
    ("token_mix.0.proj_h.3", "folded into the weights over its channels", "1,234"),
    ("token_mix.1.proj_h.3", "not here", "5"),
]


@pytest.mark.parametrize("columns", [30, 40, 50, 60, 200, None])
def test_tables_fit_a_terminal_and_lose_no_letter(
    columns: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "width_of", lambda _stream: columns)
    output.print_table(ROWS, ("name", "what", "n"), left=2)
    output.print_facts([("a name", "many words " * 9), ("other", ("", "z" * 300))])
    text = capsys.readouterr().out
    table = text.split("a name")[0]
    if columns is None:
        assert len(text.splitlines()) == 6
    elif columns >= 40:
        assert max(map(len, table.splitlines())) <= columns
    cells = "".join(map("".join, [("name", "what", "n"), *ROWS]))
    assert sorted("".join(table.split())) == sorted("".join(cells.split()))
    assert text.count("many") == text.count("words") == 9
    assert text.count("z") == 300
    if columns == 60:
        assert "token_mix.0.proj_h.3" in table, "sentences give way before names"


@pytest.mark.parametrize(
    ("source", "columns", "marked"),
    [
        ("x = self.norm(x)", (4, 16), "self.norm(x)"),
        ("é\u202e = f(x)", (5, 9), "f(x)"),
        ("x = f(", (4, 99), ""),
        ("x = f(x)", (0, 0), ""),
        ("x = f(x)", (5, 4), ""),
    ],
)
def test_a_caret_marks_the_call(source: str, columns: tuple[int, int], marked: str) -> None:
    lines = str(Finding("SNN021", "m", Loc("p", "a.py", 7, "f", source, columns))).split("\n")
    carets = [line for line in lines if line.endswith("^")]
    assert len(carets) == bool(marked)
    if marked:
        above = lines[lines.index(carets[0]) - 1]
        start = carets[0].index("^")
        assert above[start : len(carets[0])] == marked
        assert carets[0].startswith("   | ")


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("caret_nets.py").write_text(FACTORY)
    yield "compile --model caret_nets:make --input-shape 1,2,4 -o out.snncc"
    sys.modules.pop("caret_nets", None)


def test_a_models_line_is_marked_where_the_call_stands(
    factory: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(factory.split()) == 4
    lines = capsys.readouterr().err.splitlines()
    (place,) = (i for i, line in enumerate(lines) if "^" in line)
    start = lines[place].index("^")
    assert lines[place - 1][start : len(lines[place])] == "self.norm(x)"
    assert "/caret_nets.py:10   é = self.norm(x) + 1; return" in lines[place - 1]


def test_stages_are_named_counted_and_told_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.02)
    told = threading.Event()
    monkeypatch.setattr(progress, "say", lambda line, err: (output.say(line, err=err), told.set()))
    begin(["-v"])
    with progress.progress("work", stages=("trace", "proof")) as advance:
        advance.stage("trace")
        advance.stage("proof")
        advance(3, 4000)
        told.clear()
        assert told.wait(20)
    alive = [thread for thread in threading.enumerate() if thread.daemon and thread.is_alive()]
    lines = capsys.readouterr().err.splitlines()
    assert any(re.fullmatch(r"work: 2/2 proof, 3 of 4,000, \d+ s", line) for line in lines)
    assert not [thread for thread in alive if thread.name.endswith("(_speak)")]
    begin([])
    with progress.progress("work", quiet=True):
        pass
    assert capsys.readouterr().err == ""


def test_quiet_and_verbose(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    checkpoint = str(root / "examples/digits_mixer.pth")
    monkeypatch.chdir(tmp_path)
    call = ["compile", checkpoint, "-o", "net.snncc"]
    assert run([*call, "-q"]) == 0
    quiet = capsys.readouterr()
    assert quiet.err == ""
    assert quiet.out.startswith("network")
    assert run(["-v", *call]) == 0
    verbose = capsys.readouterr()
    stages = [re.sub(r": [\d.]+ s$", "", line) for line in verbose.err.splitlines()]
    assert [s for s in stages if s.startswith("compile")] == [
        *("compile: 1/6 trace", "compile: 2/6 folds", "compile: 4/6 rounding"),
        *("compile: 6/6 proof", "compile"),
    ]
    assert "snncc 0.1.0, Python 3." in verbose.err
    first = Path("net.snncc").read_bytes()
    assert run([*call, "--json", "--color=always"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert json.loads(printed.out)["network"] == "mixer-snn"
    assert Path("net.snncc").read_bytes() == first
    assert run([*call, "-q", "-v"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_a_new_call_forgets_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    run(["-q", "--color=always", "explain", "1"])
    capsys.readouterr()
    run(["explain", "1"])
    assert ESCAPE not in capsys.readouterr().out
