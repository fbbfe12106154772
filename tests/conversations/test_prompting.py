"""History becomes a prompt that fits the model, and nothing a person needs is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.prompting import CONTINUE, MESSAGE_TOKENS, build, estimate_tokens
from conversations.providers.types import Model


def model_of(context_tokens=8192, *, continues=True):
    return Model(
        id="m",
        name="M",
        provider="p",
        upstream_name="upstream-m",
        context_tokens=context_tokens,
        continues=continues,
    )


def said(prompt):
    return [(message.role, message.content) for message in prompt.messages]


def talk(turns, *, size=300):
    """A history of questions and replies of a known size, ending in a question."""
    history = []
    for n in range(turns):
        history += [("user", f"q{n} ".ljust(size, "a")), ("assistant", f"r{n} ".ljust(size, "a"))]
    return [*history, ("user", "last")]


def test_short_history_is_sent_whole():
    history = [("user", "a"), ("assistant", "b"), ("user", "c")]
    prompt = build(history, model=model_of(), system_prompt="be kind")
    assert said(prompt) == [("system", "be kind"), *history]


def test_options_are_passed_on():
    prompt = build([("user", "a")], model=model_of(), temperature=0.0, max_output_tokens=5)
    assert (prompt.model, prompt.temperature, prompt.max_output_tokens) == ("upstream-m", 0.0, 5)
    prompt = build([("user", "a")], model=model_of())
    assert (prompt.temperature, prompt.max_output_tokens) == (None, None)


def test_oldest_turns_go_first_and_whole():
    prompt = build(talk(20), model=model_of(2000), system_prompt="be kind")
    roles = [role for role, _ in said(prompt)]
    assert roles[0] == "system"
    assert roles[1:] == ["user", "assistant"] * ((len(roles) - 2) // 2) + ["user"]
    assert 4 < len(roles) < 20
    assert said(prompt)[1:] == talk(20)[-(len(roles) - 1) :]


def test_longer_reply_leaves_less_room():
    few = build(talk(20), model=model_of(2000), max_output_tokens=1000)
    more = build(talk(20), model=model_of(2000), max_output_tokens=100)
    assert len(few.messages) < len(more.messages)


def test_last_question_and_system_prompt_stay_even_if_too_large():
    history = [("user", "a"), ("assistant", "b"), ("user", "c" * 100_000)]
    prompt = build(history, model=model_of(100), system_prompt="s" * 1_000)
    assert said(prompt) == [("system", "s" * 1_000), history[-1]]


def test_system_messages_of_the_history_stay():
    prompt = build([("system", "rules"), *talk(20)], model=model_of(1000), system_prompt="kind")
    assert said(prompt)[0] == ("system", "kind\n\nrules")


def test_empty_reply_is_left_out_and_its_question_joined_to_the_next():
    history = [("user", "I am Bob."), ("assistant", ""), ("user", "Who am I?")]
    assert said(build(history, model=model_of())) == [("user", "I am Bob.\n\nWho am I?")]


def test_cut_reply_is_the_last_message_where_the_model_goes_on_from_it():
    prompt = build([("user", "a")], model=model_of(), continued="Once upon ")
    assert said(prompt) == [("user", "a"), ("assistant", "Once upon ")]


def test_other_models_are_asked_to_go_on():
    prompt = build([("user", "a")], model=model_of(continues=False), continued="Once upon ")
    assert said(prompt) == [("user", "a"), ("assistant", "Once upon "), ("user", CONTINUE)]


@pytest.mark.parametrize("continued", ["", None])
def test_reply_without_text_is_asked_anew(continued):
    assert said(build([("user", "a")], model=model_of(), continued=continued)) == [("user", "a")]


def test_text_to_be_continued_stays_with_its_question():
    prompt = build(talk(20), model=model_of(500), continued="x" * 5_000)
    assert said(prompt) == [("user", "last"), ("assistant", "x" * 5_000)]


@pytest.mark.parametrize(
    ("text", "tokens_of_smollm2"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 20, 201),
        ("1234567890 " * 20, 220),
        ("def f(x):\n    return x[1:]*3\n" * 20, 280),
        ("今天天气很好，我们去公园散步吧。" * 20, 620),
        ("Привет, как дела сегодня? " * 20, 381),
        ("", 0),
    ],
)
def test_estimate_is_rather_too_high(text, tokens_of_smollm2):
    """The counts are those of the model's own tokenizer."""
    assert 0.9 * tokens_of_smollm2 <= estimate_tokens(text) <= 2 * tokens_of_smollm2


def test_estimate_takes_any_text():
    assert estimate_tokens("\ud83d\x00") > 0


_messages = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=200)))


@settings(deadline=None)
@given(history=_messages, context=st.integers(50, 2000), question=st.text(min_size=1))
def test_prompt_fits_alternates_and_ends_with_the_question(history, context, question):
    prompt = build([*history, ("user", question)], model=model_of(context))
    found = said(prompt)
    roles = [role for role, _ in found]
    assert all(one != other for one, other in zip(roles, roles[1:], strict=False))
    assert found[-1][0] == "user"
    assert found[-1][1].endswith(question)
    assert all(text for _, text in found)
    cost = sum(MESSAGE_TOKENS + estimate_tokens(text) for _, text in found)
    alone = MESSAGE_TOKENS + estimate_tokens(found[-1][1])
    assert cost <= max(context - context // 4, alone)
