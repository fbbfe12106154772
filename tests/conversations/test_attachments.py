"""Files: taken by their content, served to their owner, sent with a question, gone with it."""

import os
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db.models import Q
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from conversations import ending
from conversations.attachments.reading import Unread
from conversations.models import Attachment, Message
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, messages, new_id, send
from tests.conversations.files import attached, image, upload
from tests.waiting import until

ATTACHMENT = {"id", "name", "content_type", "size", "url"}


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """Where the files of one test lie."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    yield tmp_path / "media"


def files_in(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


async def serves(client: Client, found: Any) -> bool:
    response = await client.get(found["url"])
    return response.status_code == 200 and len(await body(response)) == found["size"]


async def body(response: Any) -> bytes:
    return b"".join([part async for part in response]) if response.streaming else response.content


# What is taken


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
    ],
)
async def test_images_are_known_by_their_content(
    alice: Client, kind: str, content_type: str
) -> None:
    found = await attached(alice, "readme.txt", image(kind))
    assert set(found) == ATTACHMENT
    assert found["content_type"] == content_type
    assert found["name"].startswith("readme.txt.")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"name,age\nAda,36\n"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
        ("a.html", b"<script>alert(1)</script>"),
        ("a.png", "für Élise 今天".encode()),
        ("a.txt", "今天".encode("utf-16")),
        ("Makefile", b"\xef\xbb\xbfall:\n"),
    ],
)
async def test_text_of_any_kind_is_text(alice: Client, name: str, content: bytes) -> None:
    found = await attached(alice, name, content)
    assert (found["content_type"], found["size"]) == ("text/plain", len(content))
    assert found["name"] == name


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n\xe2\xe3\xcf\xd3",
        b"\x7fELF\x02\x01\x01\x00",
        b"text with a NUL \x00 in it",
        b"\xff\xfea",
        "Grüße".encode("latin1"),
        b"BM" + bytes(60),
        image()[:30],
        image("GIF")[:12],
        b"RIFF\x10\x00\x00\x00WEBPVP8 ",
        image().replace(b"IDAT", b"IDAX"),
    ],
    ids=range(10),
)
async def test_everything_else_is_refused_whatever_its_name_says(
    alice: Client, media: Path, content: bytes
) -> None:
    for name in ("a.png", "a.txt"):
        assert error_of(await upload(alice, name, content)) == (415, "unsupported_type")
    assert files_in(media) == []
    assert not await threads.read(Attachment.objects.exists)


async def test_an_image_of_too_many_pixels_is_refused_unread(alice: Client) -> None:
    vast = Image.new("1", (30_000, 20_000))
    written = BytesIO()
    vast.save(written, "PNG")
    assert error_of(await upload(alice, "vast.png", written.getvalue())) == (413, "too_large")


async def test_a_file_over_the_limit_and_an_empty_one_are_refused(
    alice: Client, settings: Settings
) -> None:
    settings.ATTACHMENT_BYTES = 1000
    assert error_of(await upload(alice, "a.txt", b"x" * 1001)) == (413, "too_large")
    assert (await upload(alice, "a.txt", b"x" * 1000)).status_code == 201
    assert error_of(await upload(alice, "a.txt", b"")) == (422, "invalid_field")


async def test_what_is_no_form_with_one_file_is_refused(alice: Client) -> None:
    response = await alice.ask("POST", "/api/attachments", {"file": "x"})
    assert error_of(response) == (415, "unsupported_type")
    response = await alice.post("/api/attachments", {"other": "x"})
    assert error_of(response) == (422, "invalid_field")
    for broken in (b"--x\r\nbroken", b"nothing"):
        response = await alice.post(
            "/api/attachments", broken, content_type="multipart/form-data; boundary=x"
        )
        assert error_of(response) == (422, "invalid_field")
    response = await alice.post(
        "/api/attachments", b"x", content_type="multipart/form-data; boundary="
    )
    assert error_of(response) == (422, "invalid_field")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\plan.txt", "plan.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        (".htaccess", "htaccess"),
        ("  two   words\t.md ", "two words.md"),
        ("今天.txt", "今天.txt"),
        ("x" * 300 + ".csv", "x" * 130 + ".csv"),
    ],
)
async def test_a_name_is_never_a_path_and_hides_nothing(
    alice: Client, media: Path, given: str, kept: str
) -> None:
    found = await attached(alice, given, b"text")
    assert found["name"] == kept
    [path] = files_in(media)
    assert path.name == found["id"]


async def test_too_many_files_that_wait_are_refused(alice: Client, media: Path) -> None:
    def fill() -> None:
        Attachment.objects.bulk_create(
            Attachment(owner=alice.user, name="x", content_type="text/plain", size=1, file="x")
            for _ in range(100)
        )

    await threads.write(fill)
    assert error_of(await upload(alice, "a.txt", b"x")) == (429, "too_many_requests")
    assert files_in(media) == []


# Who


async def test_an_upload_needs_a_person_a_token_and_our_own_page(
    alice: Client, charlie: Client
) -> None:
    assert error_of(await upload(charlie, "a.txt", b"x")) == (401, "not_signed_in")
    foreign = await upload(alice, "a.txt", b"x", origin="https://example.org")
    assert error_of(foreign) == (403, "bad_origin")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.cookies
    assert error_of(await upload(strict, "a.txt", b"x")) == (403, "csrf_failed")
    await strict.get("/api/session")
    token = strict.cookies["csrftoken"].value
    assert (await upload(strict, "a.txt", b"x", **{"x-csrftoken": token})).status_code == 201


async def test_a_visitor_becomes_a_guest_by_uploading(charlie: Client, settings: Settings) -> None:
    settings.ALLOW_GUESTS = True
    found = await attached(charlie)
    assert await serves(charlie, found)


async def test_a_file_does_not_exist_for_others(alice: Client, bob: Client) -> None:
    found = await attached(alice)
    assert error_of(await bob.get(found["url"])) == (404, "not_found")
    assert error_of(await bob.ask("DELETE", found["url"])) == (404, "not_found")
    response = await send(bob, await converse(bob), "Hi", attachments=[found["id"]])
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == "attachments"
    assert not await threads.read(lambda: Message.objects.filter(content="Hi").exists())


# How it is served


async def test_an_image_is_shown_and_everything_else_is_saved(alice: Client) -> None:
    picture = await attached(alice, "cat é.png", image())
    response = await alice.get(picture["url"])
    assert await body(response) == image()
    assert response["Content-Type"] == "image/png"
    plain, encoded = 'inline; filename="cat e.png"', "filename*=UTF-8''cat%20%C3%A9.png"
    assert response["Content-Disposition"] == f"{plain}; {encoded}"
    page = await attached(alice, "page.html", b"<script>alert(1)</script>")
    response = await alice.get(page["url"])
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="page.html"'
    assert await body(response) == b"<script>alert(1)</script>"


async def test_nothing_of_a_file_runs_in_our_origin(alice: Client) -> None:
    for name, content in (("a.svg", b"<svg onload='x()'/>"), ("a.png", image())):
        response = await alice.get((await attached(alice, name, content))["url"])
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response["Cache-Control"] == "private, no-cache"
        response.close()


async def test_a_download_goes_on_where_it_broke_off(alice: Client) -> None:
    content = b"0123456789" * 100_000
    found = await attached(alice, "a.txt", content)
    response = await alice.get(found["url"], headers={"range": "bytes=0-9"})
    assert (response.status_code, await body(response)) == (206, content[:10])
    etag = response["ETag"]
    response = await alice.get(found["url"], headers={"range": "bytes=10-", "if-range": etag})
    assert (response.status_code, await body(response)) == (206, content[10:])
    assert response["Content-Range"] == "bytes 10-999999/1000000"
    response = await alice.get(found["url"], headers={"range": "bytes=10-", "if-range": '"no"'})
    assert (response.status_code, len(await body(response))) == (200, 1_000_000)
    response = await alice.get(found["url"], headers={"range": "bytes=1000000-"})
    assert (response.status_code, response["Content-Range"]) == (416, "bytes */1000000")
    response = await alice.get(found["url"], headers={"if-none-match": etag})
    assert response.status_code == 304
    # What a browser has kept, it keeps with the headers of this answer.
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"


async def test_a_file_that_is_lost_on_disk_is_not_found(alice: Client, media: Path) -> None:
    found = await attached(alice)
    for path in files_in(media):
        path.unlink()
    assert error_of(await alice.get(found["url"])) == (404, "not_found")


# With a question


async def test_a_question_carries_its_files(alice: Client) -> None:
    first, second = await attached(alice, "b.md"), await attached(alice, "a.png", image())
    conversation = await converse(alice)
    reply = await asked(
        alice, conversation, "Look", attachments=[first["id"], second["id"], first["id"]]
    )
    tree = await messages(alice, conversation)
    question = tree[tree[reply]["parent_id"]]
    assert question["content"] == "Look"
    assert question["parts"] == [
        {"kind": "attachment", "attachment": first},
        {"kind": "attachment", "attachment": second},
        {"kind": "text", "text": "Look"},
    ]
    assert await serves(alice, first)


async def test_a_question_may_be_files_alone(alice: Client) -> None:
    found = await attached(alice)
    conversation = await converse(alice)
    await asked(alice, conversation, "", attachments=[found["id"]])
    shown = (await alice.ask("GET", f"/api/conversations/{conversation}")).json()
    assert shown["title"] == "notes.md"
    assert shown["messages"][0]["content"] == ""
    for body_ in ({"content": " "}, {}, {"content": "", "attachments": []}):
        path = f"/api/conversations/{conversation}/messages"
        response = await alice.ask("POST", path, body_)
        assert error_of(response) == (422, "invalid_field")
        assert response.json()["error"]["field"] == "content"


async def test_more_than_ten_files_and_nonsense_are_refused(alice: Client) -> None:
    conversation = await converse(alice)
    for wrong in ([new_id()], [new_id()] * 11, ["x"], "x", [1]):
        response = await send(alice, conversation, "Hi", attachments=wrong)
        assert error_of(response) == (422, "invalid_field")


async def test_a_start_with_other_files_is_another_start(alice: Client) -> None:
    first, second = await attached(alice), await attached(alice)
    conversation = await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    await asked(alice, conversation, "Hi", attachments=[first["id"]], **ids)
    response = await send(alice, conversation, "Hi", attachments=[first["id"]], **ids)
    assert response.status_code == 202
    response = await send(alice, conversation, "Hi", attachments=[second["id"]], **ids)
    assert error_of(response) == (409, "id_reused")
    assert await threads.read(Attachment.objects.filter(message=None).count) == 1


async def test_an_edited_question_keeps_its_files_unless_told_otherwise(
    alice: Client, media: Path
) -> None:
    found = await attached(alice)
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "One", attachments=[found["id"]])
    question = (await messages(alice, conversation))[reply]["parent_id"]

    async def edited(**given: Any) -> list[Any]:
        path = f"/api/messages/{question}/edit"
        response = await alice.ask("POST", path, {"content": "Two", **given})
        assert response.status_code == 202, response.content
        run = response.json()["run_id"]
        tree = {}

        async def settled() -> bool:
            tree.update(await messages(alice, conversation))
            return tree[run]["status"] == "completed"

        await until(settled)
        parts: list[Any] = tree[tree[run]["parent_id"]]["parts"]
        return [part["attachment"] for part in parts if part["kind"] == "attachment"]

    [kept] = await edited()
    assert kept["id"] != found["id"] and kept["name"] == found["name"]
    assert len(await edited(content="")) == 1
    assert len(await edited(attachments=[found["id"]])) == 1
    assert await edited(attachments=[]) == []
    path = f"/api/messages/{question}/edit"
    for nothing in ({"attachments": []}, {"content": " ", "attachments": []}):
        response = await alice.ask("POST", path, {"content": "", **nothing})
        assert error_of(response) == (422, "invalid_field")
    assert len(files_in(media)) == 1
    await alice.ask("DELETE", f"/api/messages/{question}")
    assert await serves(alice, kept)


async def test_a_question_without_files_is_not_edited_to_nothing(alice: Client) -> None:
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "One")
    question = (await messages(alice, conversation))[reply]["parent_id"]
    for nothing in ({}, {"content": " "}):
        response = await alice.ask("POST", f"/api/messages/{question}/edit", nothing)
        assert error_of(response) == (422, "invalid_field")
        error = response.json()["error"]
        assert (error["field"], error["message"]) == ("content", "content: is empty")
    assert len(await messages(alice, conversation)) == 2


# How it goes


async def test_what_waits_to_be_sent_is_listed_to_its_owner(alice: Client, bob: Client) -> None:
    first, second = [await attached(alice, name=name) for name in ("a.txt", "b.txt")]
    assert (await alice.ask("GET", "/api/attachments")).json() == {"attachments": [first, second]}
    assert (await bob.ask("GET", "/api/attachments")).json() == {"attachments": []}
    conversation = await converse(alice)
    await asked(alice, conversation, "Look", attachments=[first["id"]])
    assert (await alice.ask("GET", "/api/attachments")).json() == {"attachments": [second]}


async def test_a_file_that_was_not_sent_can_be_taken_back(alice: Client, media: Path) -> None:
    found = await attached(alice)
    assert (await alice.ask("DELETE", found["url"])).status_code == 204
    assert files_in(media) == []
    assert error_of(await alice.get(found["url"])) == (404, "not_found")
    sent = await attached(alice)
    await asked(alice, await converse(alice), "Hi", attachments=[sent["id"]])
    assert error_of(await alice.ask("DELETE", sent["url"])) == (422, "invalid_field")
    assert len(files_in(media)) == 1


@pytest.mark.parametrize("what", ["message", "conversation", "person"])
async def test_files_go_with_what_they_belong_to(alice: Client, media: Path, what: str) -> None:
    found = await attached(alice)
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Hi", attachments=[found["id"]])
    question = (await messages(alice, conversation))[reply]["parent_id"]
    if what == "message":
        await alice.ask("DELETE", f"/api/messages/{question}")
    elif what == "conversation":
        await alice.ask("DELETE", f"/api/conversations/{conversation}")
    else:
        await threads.write(ending.discard, Q(owner=alice.user))
        await threads.write(alice.user.delete)
    assert files_in(media) == []
    assert not await threads.read(Attachment.objects.exists)


async def test_purging_takes_what_was_not_sent_and_what_no_row_names(
    alice: Client, media: Path
) -> None:
    old, new, sent = [await attached(alice) for _ in range(3)]
    await asked(alice, await converse(alice), "Hi", attachments=[sent["id"]])
    lost, theirs = str(uuid4()), "2026-01.pdf"
    month = next(path for path in files_in(media)).parent
    for name in (lost, theirs):
        (month / name).write_bytes(b"x")

    def purge() -> str:
        Attachment.objects.exclude(id=new["id"]).update(
            created_at=timezone.now() - timedelta(days=2)
        )
        out = StringIO()
        call_command("purge_attachments", stdout=out)
        return out.getvalue()

    assert "Deleted 1 files that were not sent and 0 without a row" in await threads.write(purge)
    assert {path.name for path in files_in(media)} == {new["id"], sent["id"], lost, theirs}
    for name in (lost, theirs):
        os.utime(month / name, (0, 0))
    assert "and 1 without a row" in await threads.write(purge)
    assert {path.name for path in files_in(media)} == {new["id"], sent["id"], theirs}


# What the model gets


async def test_a_model_reads_the_text_that_is_attached(alice: Client) -> None:
    found = await attached(alice, "plan.md", "Süden ``` first".encode("utf-16"))
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Where to?", attachments=[found["id"]])
    said = (await messages(alice, conversation))[reply]["content"]
    assert said == 'Where to?\n\nAttached file "plan.md":\n````\nSüden ``` first\n````'


async def test_a_model_that_does_not_see_is_told_of_an_image(alice: Client) -> None:
    found = await attached(alice, "cat.png", image())
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "", attachments=[found["id"]])
    said = (await messages(alice, conversation))[reply]["content"]
    assert said == '[An image was attached, which you cannot see: "cat.png"]'


async def test_a_reply_does_without_a_file_that_is_lost(alice: Client, media: Path) -> None:
    found = await attached(alice)
    for path in files_in(media):
        path.unlink()
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Hi", attachments=[found["id"]])
    said = (await messages(alice, conversation))[reply]
    assert (said["status"], "is gone" in said["content"]) == ("completed", True)


async def test_a_model_that_sees_is_shown_images_no_larger_than_it_needs(
    alice: Client, settings: Settings
) -> None:
    settings.CHAT_PROVIDERS = {"eyes": {"BACKEND": "tests.conversations.files.SeeingProvider"}}
    turned = Image.Exif()
    turned[0x0112] = 6  # held upright, stored lying
    files = [
        await attached(alice, "small.webp", image("WEBP", (640, 480))),
        await attached(alice, "large.jpg", image("JPEG", (4096, 1024), exif=turned)),
        await attached(alice, "wide.gif", image("GIF", (3000, 10))),
    ]
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "", attachments=[file["id"] for file in files])
    said = (await messages(alice, conversation))[reply]["content"]
    assert said.split() == [
        *("data:image/webp", "640x480"),
        *("data:image/jpeg", "512x2048"),
        *("data:image/jpeg", "2048x7"),
    ]


async def test_an_image_that_says_nonsense_of_its_camera_is_shown(
    alice: Client, settings: Settings
) -> None:
    settings.CHAT_PROVIDERS = {"eyes": {"BACKEND": "tests.conversations.files.SeeingProvider"}}
    content = image("PNG", (4096, 1024), exif=b"Exif\0\0no such thing")
    file = await attached(alice, "large.png", content)
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "", attachments=[file["id"]])
    said = (await messages(alice, conversation))[reply]
    assert (said["status"], said["content"].split()) == (
        "completed",
        ["data:image/jpeg", "2048x512"],
    )


async def test_files_for_which_there_is_no_room_are_not_read(alice: Client, media: Path) -> None:
    files = [await attached(alice, f"{number}.txt", b"word " * 100) for number in range(3)]
    rows = await threads.read(lambda: Attachment.objects.in_bulk([file["id"] for file in files]))
    old, middle, new = (rows[UUID(file["id"])] for file in files)
    (media / str(old.file)).unlink()  # whoever reads it finds it gone
    found: dict[int, Any] = {}
    unread = Unread({0: [old], 2: [middle], 4: [new]}, False, 900, lambda enclosed: enclosed)
    found.update(await threads.read(unread.read))
    kinds = {place: type(file).__name__ for place, [file] in found.items()}
    assert kinds == {4: "TextFile", 2: "TextFile", 0: "UnreadFile"}


async def test_whoever_is_not_signed_in_has_no_files(alice: Client, charlie: Client) -> None:
    found = await attached(alice)
    assert error_of(await charlie.get(found["url"])) == (401, "not_signed_in")
    assert error_of(await charlie.ask("DELETE", found["url"])) == (401, "not_signed_in")
