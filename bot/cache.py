"""Where Earshot keeps what it can fetch or build again: never words of a person."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The folder for rebuildable files.

    ``EARSHOT_CACHE`` names it outright; else ``XDG_CACHE_HOME/earshot``; else ``~/.cache/earshot``.
    The folder need not exist yet.
    """
    if chosen := os.environ.get("EARSHOT_CACHE"):
        return Path(chosen).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "earshot"
    return Path.home() / ".cache" / "earshot"
