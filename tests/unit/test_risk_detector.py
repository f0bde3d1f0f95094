"""What the detector makes of whole messages, alone and in a conversation."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.content import Content
from bot.risk.census import FACTORS, SUGGESTED, suggest
from bot.risk.detector import DATA_DIR, Detector, assess, default_detector
from bot.risk.pieces import MOST_MESSAGES, MOST_WORDS, in_the_light_of
from bot.risk.taxonomy import About, Category, Finding, Level, Memory

DETECTOR = Detector.load()
CONTENT = Content.load(DATA_DIR)
#: The same without the encoder.
PHRASES = Detector.of_words()
DISCLOSURES = sorted({text for f in DETECTOR.data.families if f.level.needs_person for text in f.must_match})
MONDAY = date(2026, 11, 23)
SERIOUS = Memory(level=Level.HIGH, categories=(Category.PHYSICAL_ABUSE,))


@pytest.mark.parametrize(
    ("text", "level", "category", "about"),
    [
        (
            "i dont really want to go home tonight, my stepdad hits me when hes had a drink",
            Level.HIGH, Category.PHYSICAL_ABUSE, About.SELF,
        ),
        ("my stepdad hurts me dont tell", Level.HIGH, Category.PHYSICAL_ABUSE, About.SELF),
        (
            "my friend cuts herself, she made me swear not to tell",
            Level.HIGH, Category.SELF_HARM, About.FRIEND,
        ),
        (
            "I'm being forced to have sex and I'm only 12 years old",
            Level.HIGH, Category.SEXUAL_ABUSE, About.SELF,
        ),
        ("ive taken loads of paracetamol", Level.IMMEDIATE, Category.MEDICAL_EMERGENCY, About.SELF),
        ("im on a bridge", Level.IMMEDIATE, Category.SUICIDE, About.SELF),
        ("dad has a knife now", Level.IMMEDIATE, Category.PHYSICAL_ABUSE, About.SELF),
        ("my friend wont wake up", Level.IMMEDIATE, Category.MEDICAL_EMERGENCY, About.FRIEND),
        (
            "they are taking me abroad tonight to be married",
            Level.IMMEDIATE, Category.HONOUR_BASED_ABUSE, About.SELF,
        ),
        (
            "im meeting a man from online tonight",
            Level.IMMEDIATE, Category.SEXUAL_EXPLOITATION, About.SELF,
        ),
        (
            "what would happen if someone told you their uncle touches them",
            Level.HIGH, Category.SEXUAL_ABUSE, About.SELF,
        ),
        ("i dont want to be here anymore", Level.HIGH, Category.SUICIDE, About.SELF),
        ("my son said he wants to die", Level.HIGH, Category.SUICIDE, About.OWN_CHILD),
        ("the man next door beats his kids", Level.HIGH, Category.PHYSICAL_ABUSE, About.OTHER_CHILD),
        ("my parents argue all the time", Level.CONCERN, Category.FAMILY_CONFLICT, About.SELF),
        ("im being bullied", Level.CONCERN, Category.BULLYING, About.SELF),
    ],
)  # fmt: skip
def test_a_plain_disclosure_has_its_level_category_and_child(
    text: str, level: Level, category: Category, about: About
) -> None:
    finding = DETECTOR.assess(text)
    assert finding.level is level
    assert category in finding.categories
    assert finding.about is about


@pytest.mark.parametrize(
    "text",
    [
        "this homework is killing me", "who won the world cup", "mum will kill me lol",
        "i could murder a pizza",
        "dying of embarrassment", "nobody hurts me", "i would never hurt myself", "in Roblox i got stabbed",
        "we watched a film where a girl gets kidnapped", "for history we learned about child labour",
        "hi", "thanks so much", "what time do you open", "", "😀😀", "ok bye x",
    ],
)  # fmt: skip
def test_ordinary_talk_is_nothing(text: str) -> None:
    assert DETECTOR.assess(text).level is Level.NONE


_BEFORE = [
    "hi",
    "hello there ",
    "hey 😀",
    "LOL ",
    "i had pizza for lunch. ",
    "what are you doing? ",
    "so um ",
    "i watched a film today and ",
    "we played fortnite after school ",
    "this homework is killing me. ",
]
_AFTER = [
    " lol",
    " jk",
    " 😂😂",
    "!!!",
    " haha",
    " anyway i like football",
    ". what time do you close?",
    " thx x",
]


@given(st.sampled_from(DISCLOSURES), st.sampled_from(_BEFORE), st.sampled_from(_AFTER), st.booleans())
@settings(max_examples=500, deadline=None)
def test_small_talk_emoji_capitals_and_jk_never_lower_a_disclosure(
    text: str, before: str, after: str, shouting: bool
) -> None:
    alone = DETECTOR.assess(text).level
    for dressed in (f"{before} {text}", f"{text}{after}", f"{before} {text}{after}"):
        assert DETECTOR.assess(dressed.upper() if shouting else dressed).level >= alone


#: The keys beside each key of a British keyboard, those on its row.
_BESIDE = {key: row[max(n - 1, 0) : n] + row[n + 1 : n + 2] for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
           for n, key in enumerate(row)}  # fmt: skip


def slips(word: str) -> list[str]:
    """The word with one slip of the finger behind its first letter: two letters swapped, one left out, one
    typed twice, or the key beside it."""
    found = {word[:n] + word[n + 1] + word[n] + word[n + 2 :] for n in range(1, len(word) - 1)}
    found |= {word[:n] + word[n + 1 :] for n in range(1, len(word))}
    found |= {word[:n] + word[n] + word[n:] for n in range(1, len(word))}
    found |= {word[:n] + key + word[n + 1 :] for n in range(1, len(word)) for key in _BESIDE[word[n]]}
    return sorted(found - {word})


@given(st.sampled_from(DISCLOSURES), st.data())
@settings(max_examples=500, deadline=None)
def test_a_slip_of_the_finger_never_lowers_what_a_phrase_knows(text: str, data: st.DataObject) -> None:
    words = text.split(" ")
    long = [n for n, word in enumerate(words) if len(word) > 3 and word.isalpha() and plain(word)]
    assume(long)
    n = data.draw(st.sampled_from(long))
    typed = data.draw(st.sampled_from(slips(words[n])))
    # A slip that makes another word ("my dad his my mum") cannot be told from that word.
    assume(not DETECTOR.normaliser.knows(typed))
    slipped = " ".join([*words[:n], typed, *words[n + 1 :]])
    assert DETECTOR.assess(slipped).level >= PHRASES.assess(text).level, slipped


def plain(word: str) -> bool:
    """Whether a word is spelt as it should be: "hurtz" is a slip already."""
    read = DETECTOR.normaliser.norms(word)
    return read == [word] or len(read) > 1


@given(st.text(alphabet=st.characters(), max_size=400))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_detector(text: str) -> None:
    finding = DETECTOR.assess(text)
    assert Finding.from_dict(finding.to_dict()) == finding


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "a" * 50_000, "my dad hits me " * 3_000, "😀" * 9_000, "a." * 9_000]
)
def test_no_odd_or_huge_text_breaks_the_detector(text: str) -> None:
    assert isinstance(DETECTOR.assess(text), Finding)


@pytest.mark.parametrize("text", DISCLOSURES)
def test_evidence_quotes_the_text_as_typed(text: str) -> None:
    dressed = f"Heyyy 😀 — {text} \u200b!"
    for item in DETECTOR.assess(dressed).evidence:
        assert dressed[item.start : item.end] == item.words
        assert item.words


def test_a_disclosure_at_the_end_of_a_long_message_is_heard() -> None:
    filler = "we went to the park and had chips and played football with my cousins and it was sunny " * 40
    assert DETECTOR.assess(filler + "my stepdad hits me").level is Level.HIGH


def test_a_joke_elsewhere_does_not_silence_harm() -> None:
    assert DETECTOR.assess("this homework is killing me lol and my dad punches me").level is Level.HIGH
    assert DETECTOR.assess("nobody at school hits me but my dad hits me").level is Level.HIGH


@pytest.mark.parametrize(
    ("asked", "answer", "level"),
    [
        ("danger_now", "yes", Level.IMMEDIATE),
        ("danger_now", "hes here now", Level.IMMEDIATE),
        ("safe_now", "no", Level.IMMEDIATE),
        ("safe_now", "yes", Level.NONE),
        ("suicide_thoughts", "yes", Level.HIGH),
        ("suicide_thoughts", "yeah all the time", Level.HIGH),
        ("suicide_plan", "yes", Level.IMMEDIATE),
        ("suicide_tonight", "yes", Level.IMMEDIATE),
        (None, "yes", Level.NONE),
        ("danger_now", "no", Level.NONE),
        ("danger_now", "he is", Level.IMMEDIATE),
        ("danger_now", "it is happening right now", Level.IMMEDIATE),
        ("danger_now", "not right now", Level.NONE),
        ("danger_now", "hes not here", Level.NONE),
        ("danger_now", "its fine", Level.NONE),
        ("danger_now", "dont know where she is", Level.HIGH),
        ("danger_now", "she is at school", Level.NONE),
        ("danger_now", "i dont think so", Level.NONE),
        ("danger_now", "hes not here right now", Level.NONE),
        ("danger_now", "still screaming", Level.IMMEDIATE),
        ("danger_now", "hard to say", Level.HIGH),
        ("safe_now", "he isnt here at the moment", Level.NONE),
        ("safe_now", "hes not here right now", Level.NONE),
        ("safe_now", "he isnt here but he said hes coming back to kill us", Level.IMMEDIATE),
        ("harm", "my stepdad", Level.HIGH),
        ("harm", "no my mum is really nice", Level.NONE),
        ("suicide_plan", "no i dont know how", Level.NONE),
        ("suicide_means", "they're right next to me", Level.IMMEDIATE),
        ("suicide_tonight", "its 50/50", Level.IMMEDIATE),
        ("suicide_tonight", "not tonight", Level.NONE),
        ("suicide_tonight", "not tonight. tomorrow morning", Level.IMMEDIATE),
        ("concern_where", "on the corner of mill lane", Level.NONE),
        ("concern_where", "flat 4 on the second floor", Level.NONE),
        ("family", "just me and him, he is 9", Level.NONE),
        ("concern_when", "hes hitting her now i can hear it", Level.IMMEDIATE),
    ],
)
def test_a_bare_answer_is_read_in_the_place_of_its_question(
    asked: str | None, answer: str, level: Level
) -> None:
    assert DETECTOR.assess(answer, Memory(asked=asked)).level is level


def test_he_did_it_again_after_a_disclosure_is_high() -> None:
    finding = DETECTOR.assess("he did it again", SERIOUS)
    assert finding.level is Level.HIGH
    assert finding.categories == (Category.PHYSICAL_ABUSE,)
    assert finding.evidence[0].layer == "memory"
    assert DETECTOR.assess("he did it again").level < Level.HIGH


def test_someone_outside_after_a_disclosure_is_immediate() -> None:
    assert DETECTOR.assess("he is outside", SERIOUS).level is Level.IMMEDIATE
    assert DETECTOR.assess("he is outside").level is Level.NONE


def sent(*messages: str, memory: Memory = Memory()) -> list[Finding]:
    """What is found in messages of one person that come one after the other."""
    findings: list[Finding] = []
    for text in messages:
        before = [(earlier, found.level) for earlier, found in zip(messages, findings, strict=False)]
        findings.append(DETECTOR.assess(text, in_the_light_of(memory, before, text)))
        memory = memory.after(findings[-1], MONDAY)
    return findings


def test_staff_read_all_the_words_a_thought_was_found_in_and_see_its_end_marked() -> None:
    messages = ("so basically", "my step dad", "when mums at work", "gets in", "my bed")
    first = next(finding for finding in sent(*messages) if finding.level.needs_person)
    assert all("my step dad when mums at work gets in" in e.words for e in first.evidence)
    assert all("gets in"[e.start : e.end] == "gets in" for e in first.evidence)


@pytest.mark.parametrize(
    ("messages", "level", "category", "about"),
    [
        (
            ("so basically", "my step dad", "when mums at work", "gets in", "my bed"),
            Level.HIGH, Category.SEXUAL_ABUSE, About.SELF,
        ),
        (("my friend", "is cutting", "herself"), Level.HIGH, Category.SELF_HARM, About.FRIEND),
        (
            ("hi", "my mate", "she said shes gonna", "take all her nans tablets", "tonight"),
            Level.IMMEDIATE, Category.SUICIDE, About.FRIEND,
        ),
        (("hes got a", "knife", "hes at", "my door"), Level.IMMEDIATE, None, About.SELF),
    ],
)  # fmt: skip
def test_a_thought_in_several_messages_is_read_as_one(messages, level, category, about) -> None:
    findings = sent(*messages)
    most = max(findings, key=lambda finding: finding.level.rank)
    assert most.level is level and most.about is about
    assert category is None or category in most.categories
    assert all(finding.level < level for finding in findings[:1]), "the first words alone tell less"
    for number, (text, finding) in enumerate(zip(messages, findings, strict=True), start=1):
        so_far = " ".join(messages[:number])
        for e in finding.evidence:
            marked = text[e.start : e.end]
            assert marked and e.words.endswith(marked) and e.words in so_far
            assert e.words == marked or e.start == 0, "only what began before this message has more words"


@pytest.mark.parametrize(
    "messages",
    [
        ("i like", "football", "and my dog"),
        ("mum will", "kill me", "when she sees my report lol"),
        ("who", "reads this", "is it", "private"),
        ("hi", "can u help", "with", "my maths homework"),
    ],
)
def test_ordinary_talk_in_several_messages_is_nothing(messages) -> None:
    assert not any(finding.level.needs_person for finding in sent(*messages))


def test_what_comes_after_a_disclosure_is_not_the_disclosure_again() -> None:
    told, thanks, asked, worse = sent(
        "my stepdad hurts me", "ok thanks", "can i go now", "hes coming up the stairs with a knife"
    )
    assert told.level is Level.HIGH and thanks.level is asked.level is Level.NONE
    assert worse.level is Level.IMMEDIATE


def test_an_answer_is_read_with_its_question_and_not_with_what_was_said_before_it() -> None:
    memory = in_the_light_of(Memory(asked="danger_now"), [("my mum hits", Level.NONE)], "me")
    answer = DETECTOR.assess("me", memory)
    assert answer == DETECTOR.assess("me", Memory(asked="danger_now"))
    assert answer.asked == "danger_now" and DETECTOR.assess("me").asked is None
    # "Tell me more" is no question to read an answer with.
    told = DETECTOR.assess("me", replace(memory, asked="worry"))
    assert told.asked is None and told.level is Level.HIGH


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("my son is 8 and wont behave", "yes please"),
        ("i promised not to tell", "i want to leave now"),
        ("i dont know how to say it", "stop"),
        ("i promised not to tell i dont even know if its a problem", "can we stop this"),
    ],
)
def test_what_is_said_to_the_bot_continues_nothing(before: str, text: str) -> None:
    assert sent(before, text)[-1] == DETECTOR.assess(text)


@pytest.mark.parametrize("asked", ["offer_help", "consent", "offer_adult"])
def test_after_an_offer_a_message_answers_it(asked: str) -> None:
    memory = in_the_light_of(Memory(asked=asked), [("my mum hits", Level.NONE)], "me")
    assert DETECTOR.assess("me", memory).level is Level.NONE


def test_only_so_much_is_read_together() -> None:
    words = [(f"word{n}", Level.NONE) for n in range(9)]
    memory = in_the_light_of(Memory(), words, "end")
    assert memory.just_said == " ".join(text for text, _ in words[-MOST_MESSAGES:])
    long = [("far " * MOST_WORDS, Level.HIGH), ("near by", Level.CONCERN)]
    near = in_the_light_of(Memory(), long, "end")
    assert (near.just_said, near.just_told) == ("near by", Level.CONCERN)
    assert in_the_light_of(Memory(), long, "end " * MOST_WORDS) == Memory()


def test_what_was_just_said_goes_to_the_dialogue_and_is_not_kept() -> None:
    memory = in_the_light_of(SERIOUS, [("my stepdad", Level.NONE)], "hurts me")
    assert Memory.from_dict(memory.to_dict()) == memory
    assert memory.after(DETECTOR.assess("hurts me", memory), MONDAY).just_said == ""


@given(st.sampled_from(DISCLOSURES), st.lists(st.sampled_from(_BEFORE), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_small_talk_sent_before_never_lowers_what_a_phrase_knows(text: str, before: list[str]) -> None:
    assert sent(*before, text)[-1].level >= PHRASES.assess(text).level


def test_a_parent_stays_a_parent_when_words_do_not_say() -> None:
    assert DETECTOR.assess("he keeps cutting himself", Memory(about=About.OWN_CHILD)).about is About.OWN_CHILD


def test_a_conversation_never_goes_down() -> None:
    memory = Memory().after(DETECTOR.assess("my dad hits me"), MONDAY)
    assert memory.after(DETECTOR.assess("lol ok"), MONDAY).level is Level.HIGH


def test_three_different_signs_of_neglect_add_up() -> None:
    memory = Memory()
    for text in ("theres no food in the house", "she ignores me and nobody listens to me"):
        memory = memory.after(DETECTOR.assess(text), MONDAY)
        assert not memory.rising
    memory = memory.after(DETECTOR.assess("my uniform is always dirty and it smells"), MONDAY)
    assert {"food", "love_and_attention", "clothes_and_washing"} <= memory.signs
    assert memory.rising


def test_the_same_sign_three_times_does_not_add_up() -> None:
    memory = Memory()
    for _ in range(4):
        memory = memory.after(DETECTOR.assess("i always go to bed hungry"), MONDAY)
    assert memory.signs == {"food"}
    assert not memory.rising


def test_words_of_a_sign_without_neglect_are_no_sign() -> None:
    assert DETECTOR.assess("whats for tea im hungry lol").signs == ()


def test_the_same_worry_on_three_days_adds_up() -> None:
    memory = Memory()
    finding = Finding(Level.CONCERN, (Category.BULLYING,))
    for day in range(3):
        assert not memory.rising
        memory = memory.after(finding, MONDAY + timedelta(days=day))
        memory = memory.after(finding, MONDAY + timedelta(days=day))  # twice a day is one day
    assert memory.rising
    assert Memory.from_dict(memory.to_dict()) == memory


def test_every_category_suggests_census_factors_that_exist() -> None:
    assert set(SUGGESTED) == set(Category)
    assert {code for codes in SUGGESTED.values() for code in codes} <= set(FACTORS)
    assert suggest([Category.NEGLECT]) == ("16A",), "neglect is its own factor"


def test_the_module_function_uses_one_shared_detector() -> None:
    assert default_detector() is default_detector()
    assert assess("my dad hits me").level is Level.HIGH


def test_reading_is_fast_enough_for_every_message() -> None:
    times = []
    for text in DISCLOSURES[:200]:
        began = time.perf_counter()
        DETECTOR.assess(text)
        times.append(time.perf_counter() - began)
    assert sorted(times)[int(len(times) * 0.95)] < 0.05
    began = time.perf_counter()
    DETECTOR.assess(("i went to school and then my mum and my dad and me had tea at home " * 70)[:4000])
    assert time.perf_counter() - began < 1.0


def test_loading_is_fast() -> None:
    began = time.perf_counter()
    Detector.load()
    assert time.perf_counter() - began < 5


BUTTONS = sorted(
    {
        choice["title"]
        for name in CONTENT.names()
        for variation in CONTENT.variations(name)
        for choice in variation.buttons
    }
)


@pytest.mark.parametrize("title", BUTTONS)
def test_the_words_on_a_button_are_no_disclosure(title: str) -> None:
    # They are read as if they had been typed: "a plan for tonight" was once taken for a plan of suicide.
    assert not DETECTOR.assess(title).level.needs_person


#: Payloads that tell of harm, or may, whatever was asked; the last fetches a person by itself.
_TELLING = ("/affirm", "/unsure", "/safe_now_no", "/talk_to_person")
ANSWERS = sorted(
    {
        (asked, choice["title"])
        for name in CONTENT.names()
        for variation in CONTENT.variations(name)
        if (asked := variation.custom.get("earshot", {}).get("asked")) in DETECTOR.data.questions
        for choice in variation.buttons
        if not choice["payload"].startswith(_TELLING)
    }
)


@pytest.mark.parametrize(("asked", "title"), ANSWERS)
def test_a_button_that_tells_of_no_harm_is_none_after_its_question_either(asked: str, title: str) -> None:
    assert not DETECTOR.assess(title, Memory(asked=asked)).level.needs_person
