"""Files as a model reads them: what there is no room for is said, never silently dropped."""

from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.attachments.enclosures import (
    IMAGE_TOKENS,
    Enclosed,
    ImageFile,
    LostFile,
    TextFile,
    enclose,
)
from conversations.prompting import build
from conversations.providers.openai import body_of
from conversations.providers.types import Model
from conversations.tokens import estimate_tokens

URL = "data:image/png;base64,AAAA"


def model_of(context_tokens=8192, *, sees=False):
    return Model(
        id="m",
        name="M",
        provider="p",
        upstream_name="m",
        context_tokens=context_tokens,
        sees=sees,
    )


def text(name="a.md", content="word " * 10):
    return TextFile(name=name, text=content)


def alone(file, room_tokens=2000, *, sees=False):
    return enclose({0: [file]}, room_tokens=room_tokens, sees=sees)[0]


def test_a_short_text_is_there_whole_between_fences_that_it_cannot_leave():
    assert alone(text(content="a\n```\n````b")).text == (
        'Attached file "a.md":\n`````\na\n```\n````b\n`````'
    )


def test_a_name_stays_between_its_quotes():
    assert alone(text(name="a\"' b")).text.startswith("Attached file \"a'' b\":")


def test_a_long_text_is_cut_at_a_line_and_says_so():
    lines = "".join(f"line {n} of many\n" for n in range(1000))
    said = alone(text(content=lines), 500).text
    assert estimate_tokens(said) < 550
    kept = said.split("```")[1].strip("\n")
    assert lines.startswith(f"{kept}\n")
    assert f"[Cut: the first {len(kept) + 1} of {len(lines)} characters]" in said


def test_where_there_is_no_room_at_all_the_model_is_told():
    said = alone(text(content="x" * 5000), 50).text
    assert said == '[Attached file "a.md", 5000 characters: there is no room for it]'


def test_a_short_text_leaves_its_share_to_a_long_one():
    files = [text("long", "word " * 2000), text("short", "hi")]
    found = enclose({0: files}, room_tokens=1000, sees=False)[0].text
    assert found.index("long") < found.index("short")
    assert 850 < estimate_tokens(found) < 1050
    assert "\nhi\n" in found


def test_the_newest_files_are_served_first():
    found = enclose(
        {0: [text("old", "word " * 2000)], 4: [text("new", "word " * 400)]},
        room_tokens=1000,
        sees=False,
    )
    assert "Cut" not in found[4].text
    assert "Cut" in found[0].text


def test_an_image_is_shown_to_a_model_that_sees_and_told_to_others():
    image = ImageFile(name="cat.png", url=URL)
    assert alone(image, sees=True) == Enclosed('[Attached image: "cat.png"]', (URL,))
    blind = Enclosed('[An image was attached, which you cannot see: "cat.png"]')
    assert alone(image) == blind
    assert alone(ImageFile(name="cat.png", url=""), sees=True) == blind


def test_of_very_many_images_the_newest_are_shown():
    files = {n: [ImageFile(name=f"{n}.png", url=f"{URL}{n}")] for n in range(30)}
    found = enclose(files, room_tokens=100_000, sees=True)
    assert [place for place in files if found[place].images] == list(range(10, 30))


def test_a_lost_file_is_named():
    assert "is gone" in alone(LostFile(name="a.md")).text


def test_files_stand_behind_the_question_that_they_came_with():
    prompt = build(
        [("user", "What?"), ("assistant", "That."), ("user", "")],
        model=model_of(sees=True),
        enclosed={0: [text()], 2: [ImageFile(name="a.png", url=URL)]},
    )
    first, _, last = prompt.messages
    assert first.content.startswith('What?\n\nAttached file "a.md"')
    assert (last.content, last.images) == ('[Attached image: "a.png"]', (URL,))


def test_images_of_questions_in_a_row_are_kept_together():
    prompt = build(
        [("user", "One"), ("assistant", ""), ("user", "Two")],
        model=model_of(sees=True),
        enclosed={
            0: [ImageFile(name="1", url=f"{URL}1")],
            2: [ImageFile(name="2", url=f"{URL}2")],
        },
    )
    [message] = prompt.messages
    assert message.images == (f"{URL}1", f"{URL}2")


def test_a_file_is_still_read_some_questions_later():
    turns = [("user", "Read it"), *[("assistant", "Yes."), ("user", "And?")] * 5]
    file = text(content="The secret word is anchor. " + "word " * 20_000)
    contents = {
        build(turns[: 2 * n + 1], model=model_of(4096), enclosed={0: [file]}).messages[0].content
        for n in range(6)
    }
    assert len(contents) == 1
    assert "anchor" in contents.pop()


def test_images_count_for_the_room_of_older_turns():
    history = [("user", "word " * 600), ("assistant", "ok"), ("user", "Look")]
    images = [ImageFile(name=str(n), url=URL) for n in range(3)]
    room = model_of(1500 + 3 * IMAGE_TOKENS, sees=True)
    assert len(build(history, model=room).messages) == 3
    assert len(build(history, model=room, enclosed={2: images}).messages) == 1


def test_an_upstream_gets_images_as_parts_and_everything_else_as_text():
    prompt = build(
        [("user", "Hi"), ("assistant", "Yes?"), ("user", "Look")],
        model=model_of(sees=True),
        enclosed={2: [ImageFile(name="a.png", url=URL)]},
    )
    first, _, last = body_of(prompt)["messages"]
    assert first["content"] == "Hi"
    assert last["content"] == [
        {"type": "text", "text": 'Look\n\n[Attached image: "a.png"]'},
        {"type": "image_url", "image_url": {"url": URL}},
    ]


@settings(deadline=None)
@given(
    contents=st.lists(st.text(max_size=3000), min_size=1, max_size=5),
    room=st.integers(0, 1500),
)
def test_texts_stay_within_their_room_and_each_is_named(contents, room):
    files = [text(f"file {n}", content) for n, content in enumerate(contents)]
    found = enclose({0: files}, room_tokens=room, sees=False)[0].text
    assert all(f'"file {n}"' in found for n in range(len(files)))
    assert estimate_tokens(found) <= room + 40 * len(files) + 10
