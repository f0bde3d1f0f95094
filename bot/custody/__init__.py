"""Custody of what was confided: keys, how long it is kept, who may have a copy, and backups."""
