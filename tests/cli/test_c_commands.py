"""`snncc export --to c`, and what `snncc inspect` says of it, as a user meets them."""

import json
from pathlib import Path

import pytest
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.backends.c99 import FORM
from snncc.cli.main import run
from snncc.ir.dialects.integer import IntegerPopulation

FILES = ["main.c", "manifest.json", "net.c", "net.h"]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(Path("p.snncc"), Program(lowered(1), {}))
    return tmp_path


def test_a_folder_is_written_in_either_form(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["export", "p.snncc", "--to", "c", "-o", "c"]
    assert run(call) == 0
    out = capsys.readouterr().out
    assert "net.h, net.c, an example" in out
    first = {name: Path("c", name).read_text() for name in FILES}
    assert sorted(path.name for path in Path("c").iterdir()) == FILES
    assert run([*call, "--form", "dense"]) == 2
    assert "error[SNN002]" in capsys.readouterr().err
    assert run([*call, "--form", "dense", "--force", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["target"], record["form"], record["directory"]) == ("c", "dense", "c")
    assert Path("c/net.c").read_text() != first["net.c"]
    assert run([*call, "--force"]) == 0
    assert {name: Path("c", name).read_text() for name in FILES} == first  # equal bytes
    assert run(["export", "p.snncc", "--to", "c", "--form", "scan", "-o", "d"]) == 2
    assert "one of: events, dense" in capsys.readouterr().err
    assert not Path("d").exists()


def test_inspect_tells_flash_and_ram(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "p.snncc", "--to", "c", "-o", "c"]) == 0
    manifest = json.loads(Path("c/manifest.json").read_text())
    capsys.readouterr()
    assert run(["inspect", "p.snncc", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["c"]
    assert found == {key: manifest[key] for key in ("form", "flash", "ram")}
    assert run(["inspect", "p.snncc"]) == 0
    assert f"{found['flash']:,} bytes of tables" in capsys.readouterr().out


def test_what_c_has_no_form_for_is_named(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = FORM._known.pop(IntegerPopulation)  # as an op that somebody adds
    try:
        assert run(["export", "p.snncc", "--to", "c", "-o", "c"]) == 4
        assert "C has no form for integer_population" in capsys.readouterr().err
        assert not Path("c").exists()
        assert run(["inspect", "p.snncc", "--json"]) == 0
        assert "unknown" in json.loads(capsys.readouterr().out)["c"]
    finally:
        FORM._known[IntegerPopulation] = known
