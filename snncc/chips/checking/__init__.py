"""Checks mappings; shares no code with what makes them, and finds connections in another way."""
