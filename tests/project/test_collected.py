"""What pytest collects is the same in each of its processes, or none of them runs anything."""

from __future__ import annotations

import ast

import pytest

from bot.settings import ROOT

#: Calls whose value differs from one process to the next.
DIFFERS = {"time", "time_ns", "monotonic", "now", "utcnow", "today", "getpid", "uuid1", "uuid4"}
#: Modules of which every call does.
CHANCE = {"random", "secrets", "tempfile"}


def differing(call: ast.Call) -> bool:
    """Whether this call gives something else in another process."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return module in CHANCE or name in DIFFERS
        case ast.Name(id=name):
            return name in DIFFERS and not call.args  # ``time()``, not ``time(9, 30)``
    return False


def parametrized(source: str) -> list[ast.Call]:
    """The calls of ``pytest.mark.parametrize`` in it."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "attr", "") == "parametrize"]


@pytest.mark.parametrize(
    ("cases", "bad"),
    [
        ('[{"exp": int(time.time())}]', True),
        ("[secrets.token_hex(4)]", True),
        ("[datetime.now()]", True),
        ("[datetime(2026, 1, 4), time(9, 30)]", False),
        ("[time()]", True),
    ],
)
def test_this_check_can_fail(cases: str, bad: bool) -> None:
    source = f'@pytest.mark.parametrize("x", {cases})\ndef test(x): ...'
    assert bad is any(
        differing(node) for node in ast.walk(parametrized(source)[0]) if isinstance(node, ast.Call)
    )


def test_no_case_of_a_test_depends_on_the_clock_or_on_chance() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for case in parametrized(path.read_text("utf-8"))
        for call in ast.walk(case)
        if isinstance(call, ast.Call) and differing(call)
    ]
    assert not found, f"two workers would collect different tests: {found}"
