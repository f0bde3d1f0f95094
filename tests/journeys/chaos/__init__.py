"""Faults against the running house, and what the person meets: ``python -m tests.journeys.chaos``."""
