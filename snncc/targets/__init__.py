"""Profiles, which say how a program is compiled, and targets, which say where it goes."""

from snncc.targets.registry import PROFILES, TARGETS, Entry, profile_named, target_named

__all__ = ["PROFILES", "TARGETS", "Entry", "profile_named", "target_named"]
