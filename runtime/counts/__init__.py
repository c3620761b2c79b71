"""What a run costs: operations, synaptic events, time by layer."""
