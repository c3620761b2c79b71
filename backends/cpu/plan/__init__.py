"""The planner: units, where values lie, tables for the compiled executor."""
