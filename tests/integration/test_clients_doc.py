"""The examples of `docs/clients.md` are run as they stand there, but for the address."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser.chromium import launched
from tests.integration.client import Client, metrics
from tests.integration.fleet import Servers
from tests.integration.programs import key_for_a_new_account
from tests.integration.servers import ROOT, Server, eventually

DOCUMENT = (ROOT / "docs" / "clients.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
MARK = "\n=====\n"
RUN_SECONDS = 60

BRIEF = {"STREAMING_CONNECTION_SECONDS": "0.4", "DEMO_TOKENS_PER_SECOND": "150"}
"""Connections shorter than the reply: every client has to come back."""


def examples(title: str, language: str) -> list[str]:
    """Give the code blocks of a section."""
    sections = re.split(r"^#+ (.+)$", DOCUMENT, flags=re.MULTILINE)
    text = dict(zip(sections[1::2], sections[2::2], strict=True))[title]
    found = re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)
    assert found, f"no {language} under {title!r}"
    return found


async def run(server: Server, directory: Path, *command: str) -> str:
    """Run an example that talks to the server and give what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=server.environment() | {"NO_PROXY": "*"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (out.decode()[-2000:], err.decode()[-2000:])
    return out.decode()


async def run_python(server: Server, directory: Path, title: str) -> str:
    (example,) = examples(title, "python")
    (directory / "example.py").write_text(example.replace(ADDRESS, server.url))
    return await run(server, directory, sys.executable, "example.py")


def events_of(stream: str) -> list[dict[str, Any]]:
    return [json.loads(data) for data in re.findall(r"^data: (.+)$", stream, re.MULTILINE)]


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event.get("kind") == "text")


async def test_curl_asks_resumes_reads_text_and_stops(servers: Servers, tmp_path: Path) -> None:
    # Slow enough that the reply is not over before somebody comes back to it, or stops it.
    server = await servers.start(env={"DEMO_TOKENS_PER_SECOND": "100"})
    blocks = examples("curl", "bash")
    script = f"printf '{MARK}'\n".join(block.replace(ADDRESS, server.url) for block in blocks)
    script += (
        f"printf '{MARK}'; echo $REPLY $LAST $STOPPED $(basename $(dirname $MESSAGES)); cat $JAR"
    )
    printed = (await run(server, tmp_path, "bash", "-eu", "-c", script)).split(MARK)
    session, asked, started, resumed, bare, stopped, rest = printed
    (reply, last, stopped_id, conversation), *jar = [line.split() for line in rest.splitlines()]
    alice = Client(server)
    alice.cookies.update({line[5]: line[6] for line in jar if len(line) == 7})
    stored = {message["id"]: message for message in await alice.messages(conversation)}

    assert json.loads(session)["user"] is None
    first = events_of(asked)
    assert [first[0]["type"], first[-1]["type"]] == ["started", "ended"]
    assert text_of(first) == stored[first[0]["run_id"]]["content"]
    assert started.count(f'"run_id": "{reply}"') == 2
    assert len(stored) == 6, "three questions, three replies: the repeat made none"
    following = events_of(resumed)
    assert following[0]["cursor"] == following[1]["at"] == last
    offset = int(last.removeprefix("1-"))
    assert text_of(following) == stored[reply]["content"][offset:] != ""
    assert bare == stored[reply]["content"]
    assert events_of(stopped)[-1]["status"] == stored[stopped_id]["status"] == "stopped"


async def test_curl_asks_with_a_key_alone(servers: Servers, tmp_path: Path) -> None:
    server = await servers.start(env={"DEMO_TOKENS_PER_SECOND": "300"})
    account = await key_for_a_new_account(server)
    [block] = examples("curl, with an API key", "bash")
    script = block.replace(ADDRESS, server.url).replace("hf_the-key-that-you-were-shown", account)
    printed = await run(server, tmp_path, "bash", "-eu", "-c", script)
    text, _, listed = printed.rpartition('{"conversations"')
    assert text
    [conversation] = json.loads('{"conversations"' + listed)["conversations"]
    assert conversation["title"] == "Hello"


async def test_python_follows_over_many_connections(servers: Servers, tmp_path: Path) -> None:
    server = await servers.start(env=BRIEF)
    status, length = (await run_python(server, tmp_path, "Python, server-sent events")).split()
    assert status == "completed" and int(length) > 1000
    assert server.log().count("/events ") > 2, "it came back"


async def test_python_converses_over_a_websocket_and_comes_back_after_a_restart(
    servers: Servers, tmp_path: Path
) -> None:
    server = await servers.start(env={"DEMO_TOKENS_PER_SECOND": "20"})
    example = asyncio.create_task(run_python(server, tmp_path, "Python, WebSocket"))
    await eventually(lambda: _has_commits(server, 5), 20, "the example started no reply")
    await server.terminate()
    await server.restart()
    status, length = (await example).split()
    assert status == "interrupted" and int(length) > 0


async def _has_commits(server: Server, least: int) -> bool:
    return (await metrics(server))["holdfast_journal_commits_total"] >= least


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest.mark.browser
@pytest.mark.parametrize("title", ["EventSource", "events.js", "WebSocket"])
async def test_a_page_has_exactly_the_stored_text(
    servers: Servers, chromium: Browser, title: str
) -> None:
    server = await servers.start(env=BRIEF | {"DEMO_TOKENS_PER_SECOND": "60"})
    page: Page = await chromium.new_page()
    await page.goto(server.url)
    shared, example = *examples("In a page", "js"), *examples(title, "js")
    code = f"async () => {{ {shared}\n{example}\nreturn {{ id, reply_id, text }}; }}"
    async with asyncio.timeout(RUN_SECONDS):
        got = await page.evaluate(code)
    stored = await page.evaluate(
        "async (id) => (await (await fetch(`/api/conversations/${id}/messages`)).json()).messages",
        got["id"],
    )
    await page.close()
    question, reply = stored
    assert (reply["id"], reply["status"]) == (got["reply_id"], "completed")
    assert got["text"] == reply["content"] != ""
    if title != "WebSocket":
        assert server.log().count("/events") > 1, "it came back"
