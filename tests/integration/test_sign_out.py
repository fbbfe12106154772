"""What a session has open ends with it within seconds, in every process, and is not resumed."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.integration.fleet import Servers
from tests.integration.scripts import script
from tests.integration.servers import Server

PASSWORD = "a-rope-and-an-anchor"
CUT_SECONDS = 5.0


class Browser:
    """One session at two workers."""

    def __init__(self, here: Server, there: Server) -> None:
        self.servers = (here, there)
        self.http = httpx.AsyncClient(base_url=here.url, timeout=60)

    async def fill_in(self, path: str, **form: str) -> httpx.Response:
        if "csrftoken" not in self.http.cookies:
            await self.http.get("/api/session")
        form["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        return await self.http.post(path, data=form)

    async def post(self, path: str, body: Any) -> Any:
        headers = {"X-CSRFToken": self.http.cookies["csrftoken"]}
        response = await self.http.post(path, json=body, headers=headers)
        return response.raise_for_status().json()

    async def read(self, server: Server, path: str, begun: asyncio.Event) -> str:
        async with self.http.stream("GET", server.url + path) as response:
            heard = ""
            async for piece in response.aiter_text():
                heard += piece
                begun.set()
            return heard

    async def listen(self, server: Server, begun: asyncio.Event) -> int | None:
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        headers = {"Cookie": cookies, "Origin": server.url}
        address = f"ws://127.0.0.1:{server.port}/ws/chat/"
        async with connect(address, additional_headers=headers, proxy=None) as socket:
            await socket.send('{"type": "ping"}')
            try:
                while True:
                    await socket.recv()
                    begun.set()
            except ConnectionClosed:
                return socket.close_code


async def sign_out(browser: Browser) -> None:
    assert (await browser.fill_in("/account/sign-out")).status_code == 302


async def change_password(browser: Browser) -> None:
    """From another browser: this one stays signed in where it is done."""
    other = Browser(*browser.servers)
    form = {"username": browser.name, "password": PASSWORD}  # type: ignore[attr-defined]
    assert (await other.fill_in("/account/sign-in", **form)).status_code == 302
    new = {"new_password1": "quite-another-1", "new_password2": "quite-another-1"}
    answer = await other.fill_in("/account/password", old_password=PASSWORD, **new)
    assert answer.status_code == 302
    await other.http.aclose()


@pytest.mark.parametrize("end", [sign_out, change_password])
async def test_streams_and_sockets_of_an_ended_session_are_cut_in_every_process(
    servers: Servers, end: Any
) -> None:
    here = await servers.start()
    run_directory = here.environment()["STREAMING_RUN_DIRECTORY"]
    there = await servers.start(
        database=here.database, env={"STREAMING_RUN_DIRECTORY": run_directory}
    )
    browser = Browser(here, there)
    name = browser.name = f"dora-{uuid4().hex[:8]}"  # type: ignore[attr-defined]
    form = {"username": name, "email": f"{name}@harbour.example", "password": PASSWORD}
    assert (await browser.fill_in("/account/sign-up", **form)).status_code == 302
    conversation = await browser.post("/api/conversations", {"model": "scripted"})
    content = script({"text": "so far"}, {"gate": "never"})
    question = {"content": content}
    run = await browser.post(f"/api/conversations/{conversation['id']}/messages", question)
    begun = [asyncio.Event() for _ in range(4)]
    streams = [
        asyncio.create_task(browser.read(server, run["events"], event))
        for server, event in zip(browser.servers, begun[:2], strict=True)
    ]
    sockets = [
        asyncio.create_task(browser.listen(server, event))
        for server, event in zip(browser.servers, begun[2:], strict=True)
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(event.wait() for event in begun))
    before = dict(browser.http.cookies)
    await end(browser)
    since = time.monotonic()
    async with asyncio.timeout(CUT_SECONDS):
        heard = await asyncio.gather(*streams)
        codes = await asyncio.gather(*sockets)
    assert time.monotonic() - since < CUT_SECONDS
    assert codes == [4401, 4401]
    for text in heard:
        assert "so far" in text and "event: ended" not in text
    async with httpx.AsyncClient(cookies=before, timeout=60) as thief:
        for server in browser.servers:
            again = await thief.get(server.url + run["events"])
            assert again.status_code == 401
    await browser.http.aclose()
    assert not here.errors() + there.errors()
