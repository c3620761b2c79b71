"""The CPU backend: what is decided before a program runs on this kind of machine."""

from snncc.backends.cpu.plan import CpuPlan, plan_for_cpu

__all__ = ["CpuPlan", "plan_for_cpu"]
