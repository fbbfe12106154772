"""Nonsense of every kind, from one of three people: no 500, no traceback, nothing of the others'.

A few hundred cases here; `make fuzz` takes thousands (FUZZ_CASES, FUZZ_FRAMES, FUZZ_SEED).
"""

import asyncio
import json
import os
import random
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.integration.fleet import Servers
from tests.integration.programs import key_for_a_new_account
from tests.integration.servers import Server

CASES = int(os.environ.get("FUZZ_CASES", "400"))
FRAMES = int(os.environ.get("FUZZ_FRAMES", "400"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.randrange(2**32)
CANARY = "the-secret-of-somebody-else"
ENV = {"DEMO_TOKENS_PER_SECOND": "1000"}
SCOPES = ("read", "chat", "account")
PLACES = {
    "conversation_id": "conversation",
    "message_id": "message",
    "run_id": "message",
    "attachment_id": "attachment",
    "prompt_id": "prompt",
}


class Person:
    """Somebody with a key and some things of their own."""

    def __init__(self, server: Server, key: str) -> None:
        self.http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        self.key = key
        self.ids: dict[str, str] = {}

    def settle_in(self, word: str) -> None:
        """Own one of each."""

        def post(path: str, body: Any) -> Any:
            return self.http.post(path, json=body).raise_for_status().json()

        self.ids["conversation"] = post("/api/conversations", {"title": word})["id"]
        path = f"/api/conversations/{self.ids['conversation']}/messages"
        self.ids["message"] = post(path, {"content": word, "model": "demo"})["run_id"]
        form = {"file": ("note.txt", word.encode(), "text/plain")}
        made = self.http.post("/api/attachments", files=form).raise_for_status()
        self.ids["attachment"] = made.json()["id"]
        self.ids["prompt"] = post("/api/prompts", {"name": word, "content": word})["id"]
        events = self.http.get(f"/api/runs/{self.ids['message']}/events")
        assert "event: ended" in events.text, events.text

    def everything(self) -> Any:
        """Read all that is kept of this person."""
        kept = self.http.get("/api/account/export").raise_for_status().json()
        kept.pop("exported_at", None)
        return kept


async def people(server: Server) -> tuple[Person, Person, Person]:
    found = [Person(server, await key_for_a_new_account(server, *SCOPES)) for _ in range(3)]
    words = ("of the one who asks", CANARY, CANARY)
    for person, word in zip(found, words, strict=True):
        await asyncio.to_thread(person.settle_in, word)
    return found[0], found[1], found[2]


async def test_no_request_makes_an_error_of_ours_or_shows_what_is_others(
    servers: Servers,
) -> None:
    server = await servers.start(env=ENV)
    asker, *others = await people(server)
    before = [other.everything() for other in others]
    schema = schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 30
    asked = 0

    def ask(operation: Any) -> None:
        @seed(SEED)
        @settings(
            max_examples=max(1, CASES // len(operations)),
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), whose=st.sampled_from([asker, asker, *others, None]))
        def one(case: Any, whose: Person | None) -> None:
            nonlocal asked
            asked += 1
            for name in case.path_parameters or {}:
                if whose is not None and name in PLACES:
                    case.path_parameters[name] = whose.ids[PLACES[name]]
            answer = case.call(headers={"Authorization": f"Bearer {asker.key}"}, timeout=60)
            told = f"seed {SEED}: {case.as_curl_command()}: {answer.status_code}"
            assert answer.status_code < 500, told
            assert CANARY.encode() not in answer.content, told
            if answer.status_code >= 400:
                assert set(answer.json()["error"]) >= {"code", "message", "retryable"}, told

        one()

    for operation in operations:
        await asyncio.to_thread(ask, operation)
    wanted = len(operations) * (CASES // len(operations))
    assert asked >= wanted / 2, f"{asked} of {wanted}: the generator gave up early"
    unchanged(others, before)
    asker.http.close()
    assert not server.errors(), server.errors()


def unchanged(people: list[Person], before: list[Any]) -> None:
    """Compare line by line, so that a difference can be read."""
    for person, was in zip(people, before, strict=True):
        then, now = (json.dumps(one, indent=1).splitlines() for one in (was, person.everything()))
        assert [line for line in now if line not in then] == []
        assert len(now) == len(then)
        person.http.close()


class Nonsense:
    """Frames: some that are nearly right, some that are not even text."""

    def __init__(self, rng: random.Random, ids: list[str]) -> None:
        self.rng = rng
        self.ids = ids

    def frame(self) -> str | bytes:
        rng = self.rng
        match rng.randrange(10):
            case 0:
                return rng.randbytes(rng.randrange(50))
            case 1:
                return "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(40)))
            case 2:
                return json.dumps(self._value(3))
            case 3:
                text = json.dumps(self._message())
                return text[: rng.randrange(len(text))]
            case _:
                return json.dumps(self._message())

    def _message(self) -> dict[str, Any]:
        kinds = ["send", "follow", "unfollow", "stop", "ping", "fly", "", "__class__"]
        names = ["run_id", "conversation_id", "message_id", "after", "ref", "content", "reply_id"]
        names += ["id", "parent_id", "model", "attachments", "on_disconnect", "\u0000", "type"]
        message: dict[str, Any] = {"type": self.rng.choice(kinds)}
        for name in self.rng.sample(names, self.rng.randrange(6)):
            message[name] = self._likely(name) if self.rng.random() < 0.7 else self._value(2)
        return message

    def _likely(self, name: str) -> Any:
        if name == "after":
            return self.rng.choice(["0-0", "1-1", "1-99999", "9-9.end", "-1-0", "1-" + "9" * 40])
        if name == "content":
            return self.rng.choice(["x", "", "\u0000", "\ud800", "x" * 5000])
        if name == "type":
            return self.rng.choice(["send", "follow", "stop"])
        return self.rng.choice([*self.ids, str(uuid4()), "x", None])

    def _value(self, depth: int) -> Any:
        rng = self.rng
        plain: list[Any] = [None, True, 0, -1, 2**70, 1e308, "", "\ud83d", *self.ids[:2]]
        if depth == 0 or rng.random() < 0.6:
            return rng.choice(plain)
        if rng.random() < 0.5:
            return [self._value(depth - 1) for _ in range(rng.randrange(4))]
        return {str(n): self._value(depth - 1) for n in range(rng.randrange(4))}


async def test_no_frame_makes_an_error_of_ours_or_shows_what_is_others(servers: Servers) -> None:
    server = await servers.start(env=ENV)
    asker, *others = await people(server)
    before = [other.everything() for other in others]
    ids = [one for person in (asker, *others) for one in person.ids.values()]
    nonsense = Nonsense(random.Random(SEED), ids)
    sent = opened = 0
    while sent < FRAMES:
        opened += 1
        assert opened < 10 + FRAMES // 100, f"seed {SEED}: sockets do not stay open"
        async with connect(
            f"ws://127.0.0.1:{server.port}/ws/chat/",
            additional_headers={"Authorization": f"Bearer {asker.key}"},
            proxy=None,
            max_size=2**24,
        ) as socket:
            try:
                while sent < FRAMES:
                    most = min(50, FRAMES - sent)
                    for _ in range(most):
                        await socket.send(nonsense.frame())
                    sent += most
                    await heard_in_order(socket, f"still here {sent}")
            except ConnectionClosed as closed:
                assert closed.rcvd is not None and closed.rcvd.code != 1011, f"seed {SEED}"
    unchanged(others, before)
    asker.http.close()
    assert not server.errors(), server.errors()


async def heard_in_order(socket: ClientConnection, ref: str) -> None:
    """Read up to the answer to a last, proper frame."""
    await socket.send(json.dumps({"type": "ping", "ref": ref}))
    async with asyncio.timeout(60):
        while True:
            said = str(await socket.recv())
            assert CANARY not in said, f"seed {SEED}: {said}"
            message = json.loads(said)
            assert message.get("error", {}).get("code") != "internal", f"seed {SEED}: {said}"
            if message.get("ref") == ref:
                return


pytestmark = pytest.mark.timeout(3600 if CASES > 1000 or FRAMES > 1000 else 300)
