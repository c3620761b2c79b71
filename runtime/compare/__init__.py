"""Two executions side by side: the first difference, and its cause."""
