"""Runs bundles under Lava in a child process."""
