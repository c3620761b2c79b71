"""Data flows one way: the imports say so."""

import ast
import sys
from pathlib import Path

import pytest

from snncc.cli.main import COMMANDS
from snncc.diagnostics import CODES

ALLOWED = {
    "snncc.execution": {"snncc.ir", "snncc.diagnostics", "snncc.data"},
    "snncc.machine": {"snncc.diagnostics", "snncc.artifact", "snncc.machine"},
    "snncc.data": {
        "snncc.ir",
        "snncc.diagnostics",
        "snncc.artifact",
        "snncc.machine",
        "snncc.data",
    },
    "snncc.ir": {"snncc.ir"},
    "snncc.diagnostics": {"snncc.ir", "snncc.diagnostics"},
    "snncc.meaning": {"snncc.ir", "snncc.diagnostics"},
    "snncc.semantics": {"snncc.ir", "snncc.meaning", "snncc.semantics"},
    "snncc.passes": {
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.semantics", "snncc.passes"),
    },
    "snncc.quantize": {
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.semantics", "snncc.passes"),
        "snncc.quantize",
    },
    "snncc.mfi": {"snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.mfi"},
    "snncc.checker": {"snncc.checker"},
    "snncc.artifact": {"snncc.ir", "snncc.diagnostics", "snncc.artifact"},
    "snncc.backends": {
        *("snncc.execution", "snncc.machine", "snncc.data"),
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.artifact", "snncc.backends"),
    },
    "snncc.backends.lava_nc": {
        *("snncc.execution", "snncc.machine", "snncc.data"),
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.artifact", "snncc.passes"),
        *("snncc.quantize", "snncc.backends"),
    },
    "snncc.chips": {
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.artifact", "snncc.runtime"),
        "snncc.chips",
    },
    "snncc.chips.checking": {"snncc.ir", "snncc.chips"},
    "snncc.events": {
        "snncc.diagnostics",
        "snncc.artifact",
        "snncc.data",
        "snncc.machine",
        "snncc.events",
    },
    "snncc.evaluation": {
        *("snncc.execution", "snncc.data", "snncc.events", "snncc.ir", "snncc.diagnostics"),
        *("snncc.artifact", "snncc.runtime", "snncc.evaluation"),
    },
    "snncc.report": {
        *("snncc.execution", "snncc.data", "snncc.ir", "snncc.diagnostics", "snncc.artifact"),
        *("snncc.mfi", "snncc.runtime", "snncc.report", "snncc.chips"),
    },
    "snncc.targets": {
        "snncc.execution",
        *("snncc.ir", "snncc.diagnostics", "snncc.passes", "snncc.quantize", "snncc.mfi"),
        *("snncc.artifact", "snncc.runtime", "snncc.targets"),
    },
    "snncc.runtime": {
        *("snncc.execution", "snncc.machine", "snncc.data"),
        *("snncc.ir", "snncc.diagnostics", "snncc.meaning", "snncc.artifact"),
        *("snncc.backends", "snncc.runtime"),
    },
    "snncc.frontends": {
        *("snncc.ir", "snncc.diagnostics", "snncc.semantics", "snncc.passes", "snncc.frontends"),
    },
}
"""A package's longest name here decides, for what is in it."""
NO_TORCH = [name for name in ALLOWED if name != "snncc.frontends"]
ON_TORCH = "snncc.backends.torch_tensors"
"""The executor that computes on tensors; what is proved of it needs no torch."""
PUT_TOGETHER = "target"
"""The file of a backend that puts its target together: it may look at all that targets may."""


def allowed(name: str) -> set[str] | None:
    """What a module may import of ours; None where no rule is for it."""
    within = [package for package in ALLOWED if f"{name}.".startswith(f"{package}.")]
    if not within:
        return None
    found = ALLOWED[max(within, key=len)]
    if name.startswith("snncc.backends.") and name.endswith(f".{PUT_TOGETHER}"):
        return found | ALLOWED["snncc.targets"]
    return found


def modules(root: Path) -> dict[str, Path]:
    found = {}
    for folder in ("snncc", "frontends", "backends", "runtime"):
        for file in (root / folder).rglob("*.py"):
            parts = file.relative_to(root).with_suffix("").parts
            if folder == "snncc" and len(parts) > 1 and (root / "snncc" / parts[1]).is_symlink():
                continue
            name = ".".join(parts if folder == "snncc" else ("snncc", *parts))
            found[name.removesuffix(".__init__")] = file
    return found


def imports(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_is_below_it(root: Path, package: str) -> None:
    seen = 0
    for name, file in modules(root).items():
        if name == package or name.startswith(f"{package}."):
            seen += 1
            ours = {i for i in imports(file) if i.split(".")[0] == "snncc" and i != "snncc"}
            limits = allowed(name) or set()
            wrong = [i for i in ours if ".".join(i.split(".")[:2]) not in limits]
            assert not wrong, f"{name} imports {wrong}"
    assert seen > 0


def test_only_the_registry_asks_for_what_puts_a_target_together(root: Path) -> None:
    names = modules(root)
    ends = {n for n in names if n.startswith("snncc.backends.") and n.endswith(f".{PUT_TOGETHER}")}
    targets = ("c99", "lava_nc", "nir_graph", "onnx_graph")
    assert ends == {f"snncc.backends.{name}.target" for name in targets}
    asking = {name for name, file in names.items() if imports(file) & ends}
    assert asking == set()  # the registry names it in a string and imports it when it is asked


def test_frontends_do_not_import_each_other(root: Path) -> None:
    parts = {"mixer_snn", "torch_recorder"}
    for name, file in modules(root).items():
        for part in parts:
            if name.startswith(f"snncc.frontends.{part}"):
                others = {f"snncc.frontends.{p}" for p in parts - {part}}
                assert not [i for i in imports(file) if i.startswith(tuple(others))], name


@pytest.mark.parametrize("format_", ["nir", "lava_dl"])
def test_the_frontend_of_a_file_needs_no_torch_and_no_other_frontend(
    root: Path, format_: str
) -> None:
    own, shared = f"snncc.frontends.{format_}", "snncc.frontends.torch_recorder.axis_solver"
    seen = 0
    for name, file in modules(root).items():
        if name == own or name.startswith(f"{own}."):
            seen += 1
            used = {i for i in imports(file) if i.startswith("snncc.frontends.")}
            others = {i for i in used if not i.startswith(f"{own}.")}
            shared_files = {shared, "snncc.frontends.frontend", "snncc.frontends.hdf5.reader"}
            assert others <= shared_files, name
            assert not {i.split(".")[0] for i in imports(file)} & {"torch", "h5py"}, name
    assert seen > 0


def test_torch_stays_in_the_frontends_and_in_one_executor(root: Path) -> None:
    proofs, on_torch = {f"{ON_TORCH}.forms", f"{ON_TORCH}.checking"}, set[str]()
    for name, file in modules(root).items():
        if f"{name}.".startswith(f"{ON_TORCH}.") and name not in proofs:
            on_torch.add(name)
        elif name.startswith(tuple(NO_TORCH)):
            assert not [i for i in imports(file) if i.split(".")[0] == "torch"], name
    assert f"{ON_TORCH}.program" in on_torch
    asking = {n for n, file in modules(root).items() if imports(file) & on_torch} - on_torch
    tuning = "snncc.compiler.tuning.network"
    assert not asking - {"snncc.runtime.executors", "snncc.cli.run.command", tuning}, asking


def test_the_executor_on_torch_shares_no_code_with_what_proves_its_products(root: Path) -> None:
    used = imports(modules(root)[f"{ON_TORCH}.checking"])
    assert not [name for name in used if name.startswith("snncc.backends")]


def test_only_what_lava_runs_imports_lava(root: Path) -> None:
    bundle = {"arithmetic", "host", "network", "neurons", "projections", "stock", "watch", "window"}
    seen = 0
    for name, file in modules(root).items():
        tops = {i.split(".")[0] for i in imports(file)}
        if name.startswith("snncc.backends.lava_nc.bundle."):
            seen += 1
            assert tops <= {"lava", "numpy", "scipy", *bundle, *sys.stdlib_module_names}, name
        else:
            assert not tops & {"lava", *bundle}, name
    assert seen > 0


CHECKER_CORE = ("", ".__main__", ".certificate", ".rules")
"""The walk over a program and the table of rules; every other file there is one subject."""


def test_the_checker_shares_no_code_with_what_it_checks(root: Path) -> None:
    lines: dict[str, int] = {}
    for name, file in modules(root).items():
        if name.split(".")[:2] == ["snncc", "checker"]:
            for used in imports(file):
                top = used.split(".")[0]
                own = used == "snncc.checker" or used.startswith("snncc.checker.")
                assert own or top == "numpy" or top in sys.stdlib_module_names, (name, used)
            text = file.read_text().split("\n")
            lines[name.removeprefix("snncc.checker")] = sum(bool(line.strip()) for line in text)
    assert 0 < sum(lines[name] for name in CHECKER_CORE) <= 200, "small enough to read at once"
    assert {name: n for name, n in lines.items() if n > 120} == {}, "one subject a file"


def test_the_checker_of_mappings_shares_no_code_with_the_mapper(root: Path) -> None:
    own, seen = "snncc.chips.checking", 0
    for name, file in modules(root).items():
        if name == own or name.startswith(f"{own}."):
            seen += 1
            ours = {used for used in imports(file) if used.startswith("snncc.chips")}
            assert all(used == own or used.startswith(f"{own}.") for used in ours), (name, ours)
    assert seen > 3


def test_no_second_copy_of_a_module_is_imported(root: Path) -> None:
    for name, file in modules(root).items():
        tops = {i.split(".")[0] for i in imports(file)}
        assert not tops & {"frontends", "backends", "runtime", "pickle"}, name


def test_files_are_one_thing_each(root: Path) -> None:
    for name, file in modules(root).items():
        assert len(file.read_text().split("\n")) <= 401, name
        assert file.stem != "utils", name


def test_every_command_and_code_is_documented(root: Path) -> None:
    docs = (root / "docs/diagnostics.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in docs] == []
    pages = [root / "README.md", *(root / "docs").glob("*.md")]
    text = "".join(page.read_text() for page in pages)
    assert [c for c in COMMANDS if f"snncc {c}" not in text] == []
