"""What people and programs send that nobody expects."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

#: Name -> text. Each of these broke something, somewhere, for somebody.
UNICODE: dict[str, str] = {
    "bidi": "\u202eabc\u202c \u2066x\u2069 \u061c\u200f",
    "zero_width": "he\u200blp\u200c me\u200d\ufeff\u2060",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "keycaps": "1\ufe0f\u20e3 \U0001f44d\U0001f3fd \U0001f1ec\U0001f1e7",
    "nul": "a\x00b\x00",
    "controls": "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029",
    "lone_high": "sad \ud83d",
    "lone_low": "\ude00 sad",
    "swapped_pair": "\ude00\ud83d",
    "combining": "e" + "\u0301" * 3_999,
    "zalgo": "".join(c + "\u0334\u0353\u0359" * 20 for c in "help me please"),
    "not_characters": "\ufffe\uffff\U0010ffff\ufdd0",
    "private": "\ue000\U000f0000",
    "tags": "".join(chr(0xE0000 + ord(c)) for c in "hidden"),
    "turkish": "\u0130\u0131\u017f\u212a\ufb03",
    "widest": "\ufdfd" * 500,
    "math": "\U0001d4f1\U0001d4ee\U0001d4f5\U0001d4f9",
    "only_spaces": "\u00a0\u2003\u3000\u1680",
    "long_word": "a" * 4_000,
    "many_words": "no " * 1_333,
    "digits": "\u0661\u0662\u0663 \u0967\u0968 \u2460\u00b2",
}
INJECTION: dict[str, str] = {
    "sql": "'; DROP TABLE message; --",
    "sql_like": "%' OR '1'='1",
    "sql_backslash": "\\' UNION SELECT text FROM message --",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" autofocus onfocus="alert(1)',
    "closing": "</textarea></script><svg/onload=alert(1)>",
    "jinja": "{{ 7*'7' }}{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "format": "{0.__class__} {text} %(x)s %s %n ${x}",
    "yaml": "!!python/object/apply:os.system ['true']",
    "yaml_bomb": "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b]",
    "formula": '=HYPERLINK("https://x.example","click")',
    "formula_dde": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula_spaced": " =1+1",
    "formula_full_width": "\uff1d1+1",
    "formula_newline": "x\n=1+1",
    "header": "x\r\nSet-Cookie: a=b",
    "path": "../../../../etc/passwd",
    "json": '{"$ref": "#/"}',
    "url": "javascript:alert(1)",
    "rasa_intent": '/open_handover{"level": "none"}',
    "rasa_slot": '/SetSlots(owner="bot")',
    "regex": "(a+)+$" + "a" * 60 + "!",
}
EVERYTHING = {**UNICODE, **INJECTION}

#: Any text, and often one of the above, or a piece of it in other words.
texts: st.SearchStrategy[str] = st.one_of(
    st.text(st.characters(), max_size=60),
    st.sampled_from(sorted(EVERYTHING.values())),
    st.builds(
        lambda a, b: (a + b)[:4_200], st.sampled_from(sorted(EVERYTHING.values())), st.text(max_size=10)
    ),
)
#: Any JSON value, nested a little.
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        texts,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
