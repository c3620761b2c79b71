"""What is changed, and in which test files a change may be noticed."""

from pathlib import Path

MATTER = (
    "snncc/passes",
    "snncc/quantize",
    "snncc/mfi",
    "snncc/data",
    "snncc/machine",
    "snncc/checker",
    "backends/cpu",
    "backends/lava_nc",
    "runtime",
)
"""What is mutated."""

COMPILED = (
    "backends/cpu/vm/kernels.py",
    "backends/cpu/vm/sums.py",
    "backends/cpu/vm/neurons.py",
    "backends/cpu/vm/vectors.py",
    "backends/cpu/vm/compiler.py",
    "runtime/proofs/llvm_products.py",
    "backends/cpu/vm/shipped_code.py",
)
"""Their code is shipped compiled: a change of the source is noticed as such, whatever it does."""

BESIDE_LAVA = "backends/lava_nc/bundle/"
"""Files that run in Lava's environment alone: its tests take minutes."""

WITHOUT = (
    "tests/docs", "tests/project", "tests/lava/test_lava_", "tests/lava/test_loihi_on_lava",
    "tests/lava/test_bundle", "tests/lava/test_child", "tests/lava/test_waiting", "tests/lava_dl",
    "tests/artifact/test_temporaries", "tests/cpu/test_memory.", "tests/compiler/test_trained",
    "tests/compiler/test_golden", "tests/compiler/test_variants", "tests/compiler/test_hybrid",
    "tests/runtime/test_compare_trained", "tests/chips/test_digits", "tests/events", "tests/c99",
    "tests/onnx_graph", "tests/nir", "tests/report", "tests/frontends",
)  # fmt: skip
"""Beginnings of paths of test files that start processes, take minutes or have another subject."""


def files_of_tests(root: Path) -> list[str]:
    """Test files whose tests are looked at, by their paths."""
    files = [str(file.relative_to(root)) for file in sorted((root / "tests").rglob("test_*.py"))]
    return [file for file in files if not file.startswith(WITHOUT)]


def package_of(file: str) -> str:
    """The package that a figure is given for."""
    return next(package for package in MATTER if file.startswith(f"{package}/"))
