"""The commands of some pages run, and print the lines that the pages show, whatever their numbers.

Numbers follow from rounding and differ from one version to the next; lines that are no longer
printed, or commands that no longer run, are what misleads.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_outputs import commands_of, masked

from snncc.cli.main import run
from snncc.diagnostics import CODES

WITHOUT_ONNX = () if find_spec("onnx_ir") else ("onnx",)
PAGES = {
    "docs/compare.md": ("mixer.snncc",),
    "docs/operation_counts.md": (),
    "docs/loihi.md": (),
    "docs/index.md": (),
    "docs/cli.md": (),
    "docs/diagnostics.md": (),
    "README.md": ("my_nets:bad", "doctor", "targets", "--on", *WITHOUT_ONNX),
}
"""Pages, and words of commands whose files, or whose Lava, are not in the repository."""
CALIBRATED = {"README.md"}
"""Pages that show what compiling with images says."""
OPTIONS = {"digits.snncc": [], "digits16.snncc": ["--weight-bits", "16"]}


@pytest.fixture(scope="module")
def there(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "examples").symlink_to(root / "examples", target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, options in OPTIONS.items():
            base = ["compile", "examples/digits_mixer.pth", "-o", name, "--normalize", "0.3,0.35"]
            assert run([*base, *options]) == 0
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_commands_print_what_the_page_shows(
    name: str,
    root: Path,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(there)
    monkeypatch.syspath_prepend(str(there))
    page = (root / name).read_text()
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        if "late.npz" in block:
            call = "run digits.snncc examples/digits.npz:x_test --limit 20 --record right.npz"
            assert run(call.split()) == 0
            exec(compile(block, name, "exec"), {})  # noqa: S102 (the page's own lines)
    ran = 0
    for words, shown in commands_of(page):
        if set(words) & set(PAGES[name]) or "..." in words:
            continue
        if words[0] == "compare" and "--limit" not in words and "--data" in words:
            words += ["--limit", "20"]
        if words[0] == "run" and "--record" in words and "--limit" not in words:
            words += ["--limit", "20"]
        if words[0] == "compile" and name not in CALIBRATED and "--calibrate" in words:
            place = words.index("--calibrate")
            del words[place : place + 2]  # only its numbers depend on it
        capsys.readouterr()
        code = run(words)
        printed = capsys.readouterr()
        refused = [CODES[line[6:12]].exit_code for line in shown if line.startswith("error[")]
        assert code in (refused[:1] or (0, 1)), (words, printed.err)
        got = {masked(line) for line in (printed.out + printed.err).splitlines()}
        for line in shown:
            if line.strip() in ("", "...") or line.startswith("  here the membrane"):
                continue
            assert masked(line) in got, (words, line, sorted(got))
        ran += 1
    assert ran >= 1
