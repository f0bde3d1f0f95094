"""The code a person comes back with: five plain English words, easy to say and to write down.

Words come from the EFF's short list (1,296 words, picked to be short and familiar), so five of them are
51.7 bits. Guessing is slowed by argon2id (see :meth:`bot.store.encryption.Cipher.slow_hash`).
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache

from xkcdpass import xkcd_password

#: 1,296 ** 5 is more than 2 ** 51.
WORDS_IN_A_CODE = 5
#: Stands for a code wherever messages are kept: nobody who may read a transcript gets a way in by it.
HIDDEN = "\N{BULLET}" * WORDS_IN_A_CODE
#: So many right words make what was typed an attempt at the code; no sentence has them by chance.
_RIGHT_WORDS = 3
#: So many words may stand before or after a whole code that is typed to be checked ("is it ... ?").
_BESIDE = 4


@lru_cache(maxsize=1)
def _word_list() -> tuple[str, ...]:
    path = xkcd_password.locate_wordfile("eff-short")
    words = xkcd_password.generate_wordlist(path, min_length=3, max_length=9)
    return tuple(sorted({word for word in words if word.isalpha()}))  # "yo-yo" would be two words


def new_code() -> str:
    """A new code, words separated by hyphens."""
    return "-".join(secrets.choice(_word_list()) for _ in range(WORDS_IN_A_CODE))


def normal_code(typed: str) -> str:
    """A code as it was typed by hand: capitals, spaces, commas and hyphens make no difference."""
    return "-".join(re.findall(r"[a-z]+", typed.casefold()))


def wrong_words(typed: str, code: str) -> tuple[int, ...] | None:
    """Which words of ``code``, counted from 1, are not right in what was typed to check it.

    Empty when it is the code; None when it is something else that somebody wanted to say. Whether
    something is said besides, see :func:`without_code`.
    """
    given, right = normal_code(typed).split("-"), code.split("-")
    beside = len(given) - len(right)
    if 0 < beside <= _BESIDE and any(given[n : n + len(right)] == right for n in range(beside + 1)):
        return ()
    if abs(beside) > 1 or len(set(given) & set(right)) < _RIGHT_WORDS:
        return None
    return tuple(n for n, word in enumerate(right, 1) if given[n - 1 : n] != [word])


def without_code(typed: str, code: str) -> str:
    """What was typed with a dot for each word of ``code``, if it holds enough of them to give a way in.

    What is left is what else was said: it is kept, read for danger and answered like any message.
    """
    right = set(code.split("-"))
    if len(set(normal_code(typed).split("-")) & right) < _RIGHT_WORDS:
        return typed
    return re.sub(r"[A-Za-z]+", lambda word: HIDDEN[0] if word[0].casefold() in right else word[0], typed)


def shown(text: str, code: str | None) -> str:
    """A stored message as the person whose code it is may see it, as long as we can still open it."""
    return text.replace(HIDDEN, code.replace("-", " ")) if code else text
