"""Which tests should notice a change of which file; the quick ones first."""

MATTER = (
    "snncc/passes",
    "snncc/quantize",
    "snncc/mfi",
    "snncc/checker",
    "backends/cpu",
    "backends/lava_nc",
    "runtime",
)
"""What is mutated."""

COMPILED = (
    "runtime/unit_kernels.py",
    "runtime/unit_sums.py",
    "runtime/unit_neurons.py",
    "runtime/vectors.py",
    "runtime/unit_compiler.py",
    "runtime/llvm_products.py",
    "runtime/shipped_code.py",
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
    "runtime/axis_orders.py": ("compare", "recordings", "compare_command"),
    "runtime/batch_results.py": ("executors", "units"),
    "runtime/child_process.py": ("child_process", "run_on_lava"),
    "runtime/compared_layers.py": ("compare", "compare_command"),
    "runtime/comparison.py": ("compare", "compare_command"),
    "runtime/data_files.py": ("cli", "image_commands"),
    "runtime/dense_kernels.py": ("dense_kernels", "soak"),
    "runtime/divergence.py": ("compare", "compare_command"),
    "runtime/divergence_causes.py": ("compare", "compare_command"),
    "runtime/dynamic_proof.py": ("dynamic_proof",),
    "runtime/refusing_arrays.py": ("dynamic_proof",),
    "runtime/execution.py": ("executors", "image_commands"),
    "runtime/executors.py": ("recordings", "compare"),
    "runtime/fan_out.py": ("operation_counts",),
    "runtime/host_layers.py": ("host_units", "soak"),
    "runtime/hybrid_runner.py": ("dense_kernels", "soak"),
    "runtime/image_files.py": ("image_files", "image_commands"),
    "runtime/image_folder.py": ("image_files", "image_commands"),
    "runtime/kernel_choice.py": ("dense_kernels",),
    "runtime/label_checks.py": ("label_checks", "judged_by_labels"),
    "runtime/kernel_inspection.py": ("kernel_inspection",),
    "runtime/kernel_timing.py": ("dense_kernels", "dense_onnx"),
    "runtime/lava_executor.py": ("run_on_lava",),
    "runtime/layer_evidence.py": ("compare", "compare_command"),
    "runtime/layer_inputs.py": ("compare", "compare_command"),
    "runtime/machine_code.py": ("machine_code",),
    "runtime/memory_use.py": ("memory",),
    "runtime/operation_counts.py": ("operation_counts",),
    "runtime/preprocessing.py": ("image_files", "image_commands"),
    "runtime/process_guard.py": ("child_process",),
    "runtime/products.py": ("dense_kernels",),
    "runtime/profiling.py": ("profile", "kernel_inspection"),
    "runtime/program_differences.py": ("compare", "compare_command"),
    "runtime/recording.py": ("recordings", "compare"),
    "runtime/rounding_bounds.py": ("rounding_toward_zero", "compare"),
    "runtime/stream_engines.py": ("streaming", "soak"),
    "runtime/stream_state.py": ("streaming",),
    "runtime/streaming.py": ("streaming",),
    "runtime/synaptic_operations.py": ("operation_counts",),
    "runtime/user_cache.py": ("machine_code", "dense_kernels"),
    "runtime/witness.py": ("widths",),
}  # fmt: skip


def tests_of(file: str) -> tuple[str, ...]:
    """Test files for a source file: its own, or those of its package."""
    if file in TESTS:
        return TESTS[file]
    return next(names for package, names in TESTS.items() if file.startswith(f"{package}/"))


def package_of(file: str) -> str:
    """The package that a figure is given for."""
    return next(package for package in MATTER if file.startswith(f"{package}/"))
