"""Alerts to staff. They carry a level, a reference and a link; never a word of the child."""
