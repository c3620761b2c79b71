"""Which tests one does not wait for while working."""

SLOW = {
    *("certificate", "checkpoint_files", "child_process", "cli", "compare", "compare_trained"),
    *(
        "cross_check",
        "dense_kernels",
        "dense_onnx",
        "docs_commands",
        "event_frames",
        "fidelity",
        "fold_proof",
    ),
    *("golden_mixer", "host_units", "image_commands", "lava_bundle", "lava_environment"),
    *("lava_processes", "lava_schedule", "loihi_profile", "machine_code", "memory"),
    *(
        "messages_of_data",
        "notebook",
        "operation_counts",
        "options",
        "options_in_vain",
        "program_rules",
    ),
    *("program_structure", "public_api", "random_networks", "rounding_toward_zero"),
    *("run_on_lava", "shared_cases", "soak", "streaming", "temporaries", "train_digits"),
    *("trained_networks", "trust", "unit_widths", "units", "variants", "variants_table"),
    *("verdict_agreement", "verdicts", "verifier", "weight_grids", "widths", "windows"),
}
"""Test files that take more than about 9 s of the CPU; `-m quick` leaves them out."""
