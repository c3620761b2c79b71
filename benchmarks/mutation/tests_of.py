"""Which tests should notice a change of which file; the quick ones first."""

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

TESTS: dict[str, tuple[str, ...]] = {
    "snncc/passes": (
        "grouped_folds", "folds", "variants", "random_networks",
        "loihi_profile", "fold_proof",
    ),
    "snncc/quantize": (
        "integer_precision", "quantize", "decays", "folds", "random_networks", "fidelity",
        "loihi_profile", "fold_proof",
    ),
    "snncc/mfi": (
        "verdict_bits", "domains", "mfi", "certificate", "folds", "widths", "verdicts",
        "fold_proof",
    ),
    "snncc/data": ("label_checks", "image_files", "image_commands", "cli"),
    "snncc/machine": ("trust", "memory", "machine_code"),
    "snncc/checker": ("certificate", "widths"),
    "backends/cpu": (
        *("units", "host_units", "executors", "streaming", "dense_kernels", "memory", "soak"),
    ),
    "backends/lava_nc": (
        "loihi_synapses", "lava_schedule", "export_command", "run_on_lava", "targets",
        "loihi_profile",
    ),
    "backends/lava_nc/environment.py": ("lava_environment", "run_on_lava"),
    "backends/lava_nc/making.py": ("lava_environment",),
    "runtime": ("executors", "units", "streaming", "threads", "soak"),
    "runtime/compare/axis_orders.py": ("compare", "recordings", "compare_command"),
    "backends/cpu/vm/results.py": ("executors", "units"),
    "backends/lava_nc/running/child_process.py": ("child_process", "run_on_lava"),
    "runtime/compare/compared_layers.py": ("compare", "compare_command"),
    "runtime/compare/comparison.py": ("compare", "compare_command"),
    "snncc/data/files.py": ("cli", "image_commands"),
    "backends/cpu/dense/layers.py": ("dense_kernels", "soak"),
    "runtime/compare/divergence.py": ("compare", "compare_command"),
    "runtime/compare/causes.py": ("compare", "compare_command"),
    "runtime/proofs/dynamic_proof.py": ("dynamic_proof",),
    "runtime/proofs/refusing_arrays.py": ("dynamic_proof",),
    "snncc/execution.py": ("executors", "image_commands"),
    "runtime/executors.py": ("recordings", "compare"),
    "runtime/counts/fan_out.py": ("operation_counts",),
    "runtime/host_layers.py": ("host_units", "soak"),
    "runtime/hybrid_runner.py": ("dense_kernels", "soak"),
    "snncc/data/image_files.py": ("image_files", "image_commands"),
    "snncc/data/image_folder.py": ("image_files", "image_commands"),
    "backends/cpu/dense/choice.py": ("dense_kernels",),
    "snncc/data/labels.py": ("label_checks", "judged_by_labels"),
    "runtime/proofs/kernel_inspection.py": ("kernel_inspection",),
    "backends/cpu/dense/timing.py": ("dense_kernels",),
    "backends/lava_nc/running/executor.py": ("run_on_lava",),
    "runtime/compare/layer_evidence.py": ("compare", "compare_command"),
    "runtime/compare/layer_inputs.py": ("compare", "compare_command"),
    "backends/cpu/vm/machine_code.py": ("machine_code",),
    "runtime/memory_use.py": ("memory",),
    "runtime/counts/operation_counts.py": ("operation_counts",),
    "snncc/data/preprocessing.py": ("image_files", "image_commands"),
    "backends/lava_nc/running/process_guard.py": ("child_process",),
    "backends/cpu/dense/products.py": ("dense_kernels",),
    "runtime/counts/profiling.py": ("profile", "kernel_inspection"),
    "runtime/compare/program_differences.py": ("compare", "compare_command"),
    "runtime/recording.py": ("recordings", "compare"),
    "runtime/compare/rounding_bounds.py": ("rounding_toward_zero", "compare"),
    "backends/cpu/streams/engines.py": ("streaming", "soak"),
    "backends/cpu/streams/state.py": ("streaming",),
    "backends/cpu/streams/stream.py": ("streaming",),
    "runtime/counts/synaptic_operations.py": ("operation_counts",),
    "snncc/machine/user_cache.py": ("machine_code", "dense_kernels"),
    "runtime/proofs/witness.py": ("widths",),
}  # fmt: skip


def tests_of(file: str) -> tuple[str, ...]:
    """Test files for a source file: its own, or those of its package."""
    if file in TESTS:
        return TESTS[file]
    return next(names for package, names in TESTS.items() if file.startswith(f"{package}/"))


def path_of_tests(root: Path, name: str) -> Path | None:
    """The test file of that name, in whichever folder; None where there is none."""
    return next((root / "tests").rglob(f"test_{name}.py"), None)


def package_of(file: str) -> str:
    """The package that a figure is given for."""
    return next(package for package in MATTER if file.startswith(f"{package}/"))
