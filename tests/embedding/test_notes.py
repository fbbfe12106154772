"""`streaming` alone, in a project without a chat."""

from pathlib import Path

import pytest

from tests.embedding.hosts import CONTENT, PASSWORD, Host, Visitor
from tests.integration.client import Refused

VERSES = "".join(f"Verse {number} of 40, on tides.\n" for number in range(1, 41))


def test_the_notes_do_without_the_chat_and_its_project(notes: Host) -> None:
    for name in ("chatproject", "conversations"):
        assert f"No module named '{name}'" in notes.run("-c", f"import {name}").stderr


def test_the_checks_and_migrations_of_the_notes_are_content(notes: Host) -> None:
    notes.shell(CONTENT)


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_note_outlives_its_reader_and_is_resumed_at_the_cursor(
    notes: Host, kind: str
) -> None:
    visitor = Visitor(await notes.serving(kind))
    await visitor.get("/")
    reader = await visitor.stream_of_form("/notes", topic="tides")
    run_id, events = reader.ledger.run_id, reader.connection.headers["location"]
    await reader.until_received(1)
    reader.rst()
    assert reader.ended is None
    started = reader.ledger.events[0]
    assert (started["type"], started["topic"]) == ("started", "tides")

    rest = await visitor.stream(events, run_id, after=reader.ledger.cursor)
    ended = await rest.until_ended()
    assert (ended["status"], ended["reason"]) == ("completed", "stop")
    assert reader.ledger.text + rest.ledger.text == VERSES
    assert reader.ledger.faults == rest.ledger.faults == []

    again = await visitor.stream(events, run_id)
    assert (await again.until_ended())["text_sha256"] == ended["text_sha256"]
    assert again.ledger.text == VERSES
    assert again.ledger.events[0]["topic"] == "tides"
    for seen, status in ((f"{ended['cursor']}.end", 204), ("7-1", 400), ("x", 400)):
        headers = {"Last-Event-ID": seen, "Connection": "close"}
        assert (await visitor.request("GET", events, headers=headers)).status == status
    with pytest.raises(Refused) as refused:
        await visitor.stream(f"/notes/{'0' * 8}-0000-4000-8000-{'0' * 12}/events", "")
    assert refused.value.args[0] == 404

    await visitor.discard()
    stored = f"from notes.models import Note; print(Note.objects.get(id='{run_id}').text, end='')"
    assert notes.shell(stored) == VERSES


async def test_a_note_goes_on_after_its_process_was_killed(tmp_path: Path) -> None:
    host = Host("notes", tmp_path, "streaming")
    host.env["DJANGO_SETTINGS_MODULE"] = "notes.lasting_settings"
    host.shell('call_command("migrate", verbosity=0)' + CONTENT)
    server = await host.serving()
    visitor = Visitor(server)
    await visitor.get("/")
    reader = await visitor.stream_of_form("/notes", topic="tides")
    run_id, events = reader.ledger.run_id, reader.connection.headers["location"]
    await reader.until_received(200)
    server.kill()
    await reader.until_closed()
    await host.serving()
    rest = await visitor.stream(events, run_id, after=reader.ledger.cursor)
    assert (await rest.until_ended())["status"] == "completed"
    assert reader.ledger.text + rest.ledger.text == VERSES
    assert reader.ledger.faults == rest.ledger.faults == []
    await visitor.discard()
    host.close()


async def test_a_note_is_stopped_where_it_is(notes: Host) -> None:
    visitor = Visitor(await notes.serving())
    await visitor.get("/")
    reader = await visitor.stream_of_form("/notes", topic="tides")
    await reader.until_received(1)
    stop = reader.connection.headers["location"].replace("/events", "/stop")
    assert await visitor.post_form(stop) == 202
    assert (await reader.until_ended())["status"] == "stopped"
    assert VERSES.startswith(reader.ledger.text)
    await visitor.discard()


async def test_the_admin_of_the_notes_opens(notes: Host) -> None:
    writer = Visitor(await notes.serving())
    await writer.sign_in_at("/admin/login/", username="writer", password=PASSWORD)
    assert (await writer.get("/admin/notes/note/")).status == 200
