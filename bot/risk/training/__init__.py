"""Trains the adapter of the tuned encoder. For developers; nothing here is loaded at run time."""
