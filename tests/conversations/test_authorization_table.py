"""No endpoint, page or frame is without an entry in a table of who may; a new one fails here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver

from conversations.api import api
from streaming.frames import Command
from tests.conftest import Client
from tests.conversations.chatting import new_id, script, send
from tests.conversations.test_api_authorization import OWNED, PERSONAL, PUBLIC, hers
from tests.conversations.test_routing import hear_until, socket

__all__ = ["hers"]

ELSEWHERE = {("POST", "/api/attachments")}
"""Endpoints whose requests are no JSON: `test_attachments.py` asks them as everybody."""

PUBLIC_PAGES = {
    *("new", "shared", "manifest", "language", "openapi-json", "openapi-view", "api-root"),
    *("sign_in", "sign_up", "sign_out", "reset", "reset_sent", "reset_done", "set_password"),
    "password_changed",
}
OWNED_PAGES = {"conversation": "/c/{conversation}"}
PERSONAL_PAGES = {"password": "/account/password", "keys": "/account/keys"}
ELSEWHERE_PAGES = {"revoke_key": "test_keys.py", "events": "OWNED"}
PROJECT = {"favicon.ico", "healthz", "readyz", "metrics", "api/<path:rest>", "admin/login/"}
STAFF = ("admin/", "console/")
"""Below these is what staff alone may see."""
FOR_ALL_OF_STAFF = {"login", "logout", "jsi18n"}
"""Of the admin: what shows nothing."""

OWNED_FRAMES: dict[str, dict[str, Any]] = {
    "follow": {"run_id": "{reply}"},
    "stop": {"run_id": "{reply}"},
    "send": {"conversation_id": "{conversation}", "content": "x"},
}
HARMLESS_FRAMES: dict[str, dict[str, Any]] = {"ping": {}, "unfollow": {"run_id": "{reply}"}}


def paths() -> Iterator[tuple[str, str]]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method in methods:
            yield method.upper(), re.sub(r"\{\w+\}", "{}", path)


def urls(found: Any = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Walk what the project serves: each place with its name."""
    for one in get_resolver().url_patterns if found is None else found:
        place = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from urls(one.url_patterns, place)
        elif isinstance(one, URLPattern):
            yield place, one.name or ""


def test_every_endpoint_of_the_schema_is_in_a_table() -> None:
    tables = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path, _ in OWNED + PERSONAL}
    tables |= {("GET", path) for path in PUBLIC}
    assert set(paths()) - tables - ELSEWHERE == set()
    for path in PUBLIC:
        assert not re.search(r"\{", path), "what has an id has an owner"


def test_every_page_is_in_a_table() -> None:
    known = {*PUBLIC_PAGES, *OWNED_PAGES, *PERSONAL_PAGES, *ELSEWHERE_PAGES}
    api_names = {
        name for place, name in urls() if place.startswith("api/") and name not in PUBLIC_PAGES
    }
    ours = {
        (place, name)
        for place, name in urls()
        if not place.startswith(STAFF) and place not in PROJECT
    }
    assert {(place, name) for place, name in ours if name not in known | api_names} == set()
    for _place, test in ELSEWHERE_PAGES.items():
        assert test == "OWNED" or (Path(__file__).parent / test).exists()


def test_every_frame_is_in_a_table() -> None:
    known = {kind.__struct_config__.tag for kind in get_args(Command)} | {"send"}
    assert known == {*OWNED_FRAMES, *HARMLESS_FRAMES}


@pytest.mark.parametrize("path", OWNED_PAGES.values())
async def test_a_page_of_alice_s_is_not_there_for_bob_and_charlie(
    hers: dict[str, str], alice: Client, bob: Client, charlie: Client, path: str
) -> None:
    assert (await alice.get(path.format(**hers))).status_code == 200
    for somebody in (bob, charlie):
        page = await somebody.get(path.format(**hers))
        nothing = await somebody.get(path.format(**dict.fromkeys(hers, new_id())))
        assert page.status_code == nothing.status_code
        assert "Hello" not in page.content.decode()


@pytest.mark.parametrize("path", PERSONAL_PAGES.values())
async def test_a_personal_page_leads_charlie_to_the_sign_in(charlie: Client, path: str) -> None:
    page = await charlie.get(path)
    assert page.status_code == 302
    assert page["Location"].startswith("/account/sign-in")


async def test_what_is_staff_s_shows_nobody_else_anything(bob: Client, charlie: Client) -> None:
    places = [
        re.sub(r"<(?:(\w+):)?\w+>", lambda m: "1" if m[1] == "int" else new_id(), place)
        for place, name in urls()
        if place.startswith(STAFF) and name not in FOR_ALL_OF_STAFF
    ]
    places = [f"/{place}" for place in places if not re.search(r"[(^$\\]", place)]
    places.remove("/admin/login/")
    assert len(places) > 20
    assert len(admin.site._registry) > 5
    for somebody in (bob, charlie):
        for place in places:
            for answer in (await somebody.get(place), await somebody.post(place, {})):
                assert answer.status_code in (301, 302, 401, 403, 404, 405), place
                answer.close()


@pytest.mark.parametrize("kind", [*OWNED_FRAMES, *HARMLESS_FRAMES])
async def test_a_frame_of_bob_s_neither_shows_nor_changes_what_is_alice_s(
    alice: Client, bob: Client, providers: Path, hers: dict[str, str], kind: str
) -> None:
    live = script({"text": "for her alone"}, {"gate": "never"})
    run = (await send(alice, hers["conversation"], live)).json()["run_id"]
    communicator = socket(bob)
    assert (await communicator.connect(timeout=5))[0]
    fields = (OWNED_FRAMES | HARMLESS_FRAMES)[kind]
    for reply in (hers["reply"], run):
        ids = {**hers, "reply": reply}
        frame = {name: value.format(**ids) for name, value in fields.items()}
        await communicator.send_to(text_data=json.dumps({"type": kind, "ref": 1, **frame}))
    await communicator.send_to(text_data='{"type": "ping", "ref": "last"}')
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1].get("ref") != "last":
        heard += await hear_until(communicator, "pong") if not heard else await more(communicator)
    errors = [one["error"]["code"] for one in heard if one["type"] == "error"]
    assert errors == (["not_found"] * 2 if kind in OWNED_FRAMES else [])
    assert "her" not in json.dumps([one for one in heard if one["type"] != "error"])
    await communicator.disconnect(timeout=5)
    messages = (
        await alice.ask("GET", f"/api/conversations/{hers['conversation']}/messages")
    ).json()
    assert {one["id"]: one["status"] for one in messages["messages"]}[run] == "running"
    assert len(messages["messages"]) == 4


async def more(communicator: Any) -> list[dict[str, Any]]:
    return [json.loads((await communicator.receive_output(timeout=5))["text"])]
