"""Earshot: a help assistant for young people that a council, school trust or charity runs itself.

The way of a message is told in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
