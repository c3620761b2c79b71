"""The Lava backend: a program as processes of lava-nc, in a bundle that needs nothing of ours."""

from snncc.backends.lava_nc.bundle_files import write_bundle
from snncc.backends.lava_nc.process_network import ProcessNetwork, build_processes
from snncc.backends.lava_nc.schedule import Schedule, balance_delays, schedule_table

__all__ = [
    "ProcessNetwork",
    "Schedule",
    "balance_delays",
    "build_processes",
    "schedule_table",
    "write_bundle",
]
