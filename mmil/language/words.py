"""What is left of a sentence when wording is taken away: the stems of its content words."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_TOKEN = re.compile(r"[^\W_]+")

# Words that ask, point or connect, and so could be left out or exchanged without saying anything else.
_LISTED = """
a an the this that these those it its itself one ones some any all both each every other another
i me my mine we us our you your yours yourself he him his she her they them their who whom whose which what
where when why how here there then now once again also too so very just only really
in on at to from of off for with by about above over under into onto out up down upwards upward downwards
around among between near after before until through away and or but if as than because while not no yes
am is are was were be been being do does did doing done have has had having
can could will would shall should may might must ought
s d ll re ve m t don doesn didn won couldn wouldn shouldn isn aren lets
please kindly kind thanks thank cheers hey hi hello ok okay well sorry excuse grateful appreciate glad
want need like love wish hope mind let help robot possible able right
carefully gently slowly quickly immediately soon today
"""
FUNCTION_WORDS = frozenset(_LISTED.split())

_IRREGULAR = {
    "took": "take",
    "taken": "take",
    "got": "get",
    "gotten": "get",
    "held": "hold",
    "brought": "bring",
    "gave": "give",
    "given": "give",
    "went": "go",
    "gone": "go",
    "goes": "go",
    "chose": "choose",
    "chosen": "choose",
    "rose": "rise",
    "risen": "rise",
    "found": "find",
    "saw": "see",
    "seen": "see",
    "made": "make",
    "kept": "keep",
    "came": "come",
}


def tokens(sentence: str) -> tuple[str, ...]:
    """The words of a sentence without case, punctuation and white space; "don't" is two."""
    return tuple(_TOKEN.findall(unicodedata.normalize("NFKC", sentence).casefold()))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """`word` without inflection: lifted, lifting, lifts → lift. Only equality means something."""
    word = _IRREGULAR.get(word, word)
    for ending in ("ing", "ed", "s"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and not word.endswith("ss"):
            word = rest
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    word = word[:-1] + "i" if word.endswith("y") and len(word) > 2 else word
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


@lru_cache(maxsize=65536)
def _content_stem(word: str) -> str | None:
    """The stem of a content word; None for a function word, inflected or not."""
    return None if word in FUNCTION_WORDS or stem(word) in _FUNCTION_STEMS else stem(word)


# "wanted" and "needs" ask as "want" and "need" do; short words have no other forms that could be meant.
_FUNCTION_STEMS = frozenset(stem(word) for word in FUNCTION_WORDS if len(word) > 3)


def content(sentence: str) -> frozenset[str]:
    """Stems of the content words of `sentence`: what order, politeness and inflection cannot change."""
    return frozenset(found for word in tokens(sentence) if (found := _content_stem(word)))
