"""Pictures of facts, one a function: it takes matplotlib's axes, the facts and colours."""
