"""What is installed is what the tree holds."""

import re
import shutil
import tarfile
import tomllib
import zipfile
from pathlib import Path

from setuptools.build_meta import build_sdist, build_wheel


def configuration(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())


def test_the_package_list_is_the_tree(root: Path) -> None:
    setuptools = configuration(root)["tool"]["setuptools"]
    found = {"snncc"}
    for name, folder in setuptools["package-dir"].items():
        for init in (root / folder).rglob("__init__.py"):
            parts = init.parent.relative_to(root / folder).parts
            if name == "snncc" and parts and (root / folder / parts[0]).is_symlink():
                continue
            found.add(".".join((name, *parts)))
    assert found == set(setuptools["packages"])


def test_the_wheel_holds_every_module(root: Path, tmp_path: Path, monkeypatch) -> None:
    copy = tmp_path / "tree"
    copy.mkdir()
    for part in ("snncc", "frontends", "backends", "runtime"):
        for file in (root / part).rglob("*"):
            relative = file.relative_to(root)
            linked = (
                part == "snncc"
                and len(relative.parts) > 1
                and (root / part / relative.parts[1]).is_symlink()
            )
            if (
                file.suffix
                in (".py", ".typed", ".txt", ".gz", ".toml", ".css", ".js", ".jinja", ".md")
                and not linked
            ):
                target = copy / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (copy / name).write_bytes((root / name).read_bytes())
    modules = {
        ("snncc/" if file.relative_to(copy).parts[0] != "snncc" else "")
        + str(file.relative_to(copy))
        for file in copy.rglob("*.py")
    }
    monkeypatch.chdir(copy)
    wheel = build_wheel(str(tmp_path))
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        names = set(archive.namelist())
    assert modules <= names
    described = {f"snncc/chips/described/{file.name}" for file in copy.rglob("described/*.toml")}
    assert len(described) >= 13
    assert described <= names
    assert {
        "snncc/py.typed",
        "snncc/diagnostics/diagnostics.md",
        "snncc/report/page/page.css",
        "snncc/report/page/page.html.jinja",
        "snncc/report/page/page.js",
        "snncc/backends/cpu/vm/units.ll.gz",
        "snncc/backends/lava_nc/constraints.txt",
    } <= names
    assert not [n for n in names if n.startswith(("tests/", "frontends/", "runtime/", "backends/"))]


def test_the_folders_are_linked_into_the_package(root: Path) -> None:
    for name in ("frontends", "backends", "runtime"):
        link = root / "snncc" / name
        assert link.is_symlink()
        assert link.resolve() == root / name


def test_torch_is_pinned_and_everything_else_too(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().split("\n")
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert "spikingjelly==2.0.0" in pins
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+==[A-Za-z0-9_.+]+", pin) for pin in pins)
    core = configuration(root)["project"]["dependencies"]
    assert not [d for d in core if d.startswith("torch")]


def test_the_source_distribution_is_the_checkout(root: Path, tmp_path: Path, monkeypatch) -> None:
    """It builds, and it tests itself: nothing that tests, examples or pages read is left out."""
    code = ("snncc", "frontends", "backends", "runtime")
    tree = tmp_path / "tree"
    skipped = shutil.ignore_patterns("__pycache__", "*.snncc", ".snncc-*.tmp")
    for name in (*code, "tests", "examples", "benchmarks", "docs"):
        shutil.copytree(root / name, tree / name, symlinks=True, ignore=skipped)
    for file in (*root.glob("*.md"), *root.glob("*.txt")):
        shutil.copy(file, tree)
    own = ("pyproject.toml", "MANIFEST.in", "LICENSE", "Makefile", "mkdocs.yml", "CITATION.cff")
    for name in own:
        shutil.copy(root / name, tree)
    there = {str(f.relative_to(tree)) for f in tree.rglob("*") if f.is_file()}
    monkeypatch.chdir(tree)
    with tarfile.open(tmp_path / build_sdist(str(tmp_path))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert there - held == set()
