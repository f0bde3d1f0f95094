"""Reads the YAML files of ``data/``; one that cannot be used is refused with file, entry and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

__all__ = ["DataFileError", "read_yaml"]


class DataFileError(ValueError):
    """A data file that cannot be used as it stands. The message names file, entry and remedy."""

    def __init__(self, file: Path | str, entry: str, problem: str, remedy: str) -> None:
        name = "/".join(Path(file).parts[-3:])
        super().__init__(f"{name}: {entry}: {problem} Remedy: {remedy}")
        self.file = Path(file)
        self.entry = entry
        self.parts = (problem, remedy)


def read_yaml(path: Path) -> Any:
    """The content of one YAML file.

    Raises:
        DataFileError: the file is missing, or is not YAML in UTF-8.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.load(file, Loader=loader)  # noqa: S506 - CSafeLoader is the safe loader
    except OSError as error:
        raise DataFileError(
            path, "the file", f"cannot be read ({error.strerror}).", "put the file back from git."
        ) from error
    except UnicodeDecodeError as error:
        raise DataFileError(path, "the file", "is not UTF-8 text.", "save it as UTF-8.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else "the file"
        raise DataFileError(
            path, line, "is not valid YAML.", "check indents, colons and quotes there and just above."
        ) from error
