"""Real upstreams in processes of their own: llama.cpp, and aimock with its faults."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.client import Client
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading
from tests.integration.llama import MODEL
from tests.integration.servers import ROOT, Server, answers, eventually, free_port

KEY = "sk-integration-tests-secret"
AIMOCK = "node_modules/.bin/llmock"
SYSTEM_PROMPT = "You are a helpful assistant."
"""Without one, the model's template brings its own, with which it answers in French."""
LONG = " ".join(f"word{number}" for number in range(300))
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "say hello"}, "response": {"content": "Hello, 世界! 🌍"}},
    {"match": {"userMessage": "say much"}, "response": {"content": LONG}, "latency": 20},
    {
        "match": {"userMessage": "break off"},
        "response": {"content": LONG},
        "latency": 5,
        "truncateAfterChunks": 8,
    },
    {
        "match": {"userMessage": "hang up"},
        "response": {"content": LONG},
        "latency": 20,
        "disconnectAfterMs": 150,
    },
    *(
        {
            "match": {"userMessage": f"answer {status}"},
            "response": {"error": {"message": f"{KEY} leaks", "type": "x"}, "status": status},
        }
        for status in (400, 401, 429, 500, 503)
    ),
]


@dataclass
class Upstream:
    """A program that serves chat completions on a port."""

    command: list[str]
    port: int
    log: Path
    cwd: Path = ROOT
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        await eventually(
            self._listens, 30, lambda: f"{self.command[0]}: {self.log.read_text()[-2000:]}"
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    async def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"it died: {self.log.read_text()[-2000:]}"
        return await answers(self.port, "/health")


def llama(directory: Path) -> Upstream:
    port = free_port()
    command = [sys.executable, "-m", "tests.integration.llama", str(port)]
    return Upstream(command, port, directory / "llama.log")


def aimock(directory: Path) -> Upstream:
    found = ROOT / AIMOCK
    program = str(found) if found.exists() else shutil.which("llmock")
    assert program, f"{AIMOCK} is missing: npm ci"
    fixtures = directory / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    port = free_port()
    command = [program, "--port", str(port), "--fixtures", str(fixtures), "--chunk-size", "12"]
    return Upstream(command, port, directory / "aimock.log")


def server_for(upstream: Upstream, database: str, model: str) -> Server:
    env = {
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream.port}/v1",
        "OPENAI_API_KEY": KEY,
        "OPENAI_MODELS": model,
    }
    return Server(kind="uvicorn", database=database, env=env)


@pytest.fixture(scope="module")
def with_aimock(sqlite: SQLite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    upstream = aimock(tmp_path_factory.mktemp("aimock"))
    server = server_for(upstream, sqlite.new(), "gpt-mock")

    async def start() -> None:
        await asyncio.gather(upstream.start(), server.start())

    asyncio.run(start())
    yield server
    server.discard()
    upstream.kill()


@pytest.fixture
async def llama_cpp(tmp_path: Path) -> AsyncIterator[Upstream]:
    upstream = llama(tmp_path)
    await upstream.start()
    yield upstream
    upstream.kill()


async def ask(client: Client, question: str, **settings: float) -> dict[str, Any]:
    """Ask the default model, read to the end, hold it against the law, and give the reply."""
    conversation = await client.new_conversation(
        model=None, system_prompt=SYSTEM_PROMPT, settings=settings
    )
    reader = await client.send(conversation, question)
    await reader.until_ended(60)
    message = await client.settled(conversation, reader.ledger.run_id)
    assert not breaches_of_reading(message, [reader])
    return message


async def test_llama_cpp_answers_with_its_own_count_of_tokens(
    servers: Servers, llama_cpp: Upstream
) -> None:
    server = server_for(llama_cpp, servers.sqlite.new(), MODEL)
    servers.started.append(server)
    await server.start()
    client = await servers.client(server)
    question = "What is the capital of France?"
    message = await ask(client, question, temperature=0, max_output_tokens=24)
    assert "Paris" in message["content"]
    assert message["model"] == MODEL
    assert message["usage"]["input_tokens"] > 5
    assert 1 <= message["usage"]["output_tokens"] <= 24
    assert not server.errors(), server.errors()


async def test_llama_cpp_killed_in_mid_reply_fails_the_reply_and_keeps_its_text(
    servers: Servers, llama_cpp: Upstream
) -> None:
    server = server_for(llama_cpp, servers.sqlite.new(), MODEL)
    servers.started.append(server)
    await server.start()
    client = await servers.client(server)
    conversation = await client.new_conversation(model=None, settings={"temperature": 0})
    reader = await client.send(conversation, "Tell a very long story about the sea.")
    await reader.until_received(60, 30)
    llama_cpp.kill()
    ended = await reader.until_ended()
    assert ended["status"] == "failed"
    assert ended["reason"] in ("upstream_reset", "upstream_incomplete")
    assert ended["retryable"] is True
    message = await client.settled(conversation, reader.ledger.run_id)
    assert len(message["content"]) >= 60
    assert not breaches_of_reading(message, [reader])
    gone = await ask(client, "Is anybody there?")
    assert (gone["status"], gone["reason"]) == ("failed", "upstream_unreachable")
    await llama_cpp.start()
    back = await ask(client, "And now?", max_output_tokens=8)
    assert back["status"] == "completed"
    assert not server.errors(), server.errors()


async def test_aimock_streams_text_beyond_ascii(with_aimock: Server) -> None:
    client = await Client.sign_in(with_aimock)
    message = await ask(client, "say hello")
    assert (message["status"], message["content"]) == ("completed", "Hello, 世界! 🌍")
    await client.discard()


@pytest.mark.parametrize("question", ["break off", "hang up"])
async def test_a_stream_that_breaks_off_is_failed_and_keeps_its_text(
    with_aimock: Server, question: str
) -> None:
    client = await Client.sign_in(with_aimock)
    message = await ask(client, question)
    assert message["status"] == "failed"
    assert message["reason"] in ("upstream_reset", "upstream_incomplete")
    assert message["content"] and LONG.startswith(message["content"])
    await client.discard()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "upstream_refused"),
        (401, "upstream_refused"),
        (429, "upstream_rate_limited"),
        (500, "upstream_error"),
        (503, "upstream_error"),
    ],
)
async def test_a_refusal_has_its_reason_and_tells_no_secret(
    with_aimock: Server, status: int, reason: str
) -> None:
    client = await Client.sign_in(with_aimock)
    message = await ask(client, f"answer {status}")
    assert (message["status"], message["reason"]) == ("failed", reason)
    assert KEY not in json.dumps(message)
    assert KEY not in with_aimock.log(), "the log holds the upstream's body or the key"
    await client.discard()


async def test_readers_of_a_real_upstream_come_and_go(with_aimock: Server) -> None:
    client = await Client.sign_in(with_aimock)
    conversation = await client.new_conversation(model=None)
    first = await client.send(conversation, "say much")
    await first.until_received(100)
    first.rst()
    second = await client.follow(first.ledger.run_id, first.ledger.cursor)
    await second.until_received(100)
    second.fin()
    third = await client.follow(first.ledger.run_id)
    await third.until_ended()
    message = await client.settled(conversation, first.ledger.run_id)
    assert (message["status"], message["content"]) == ("completed", LONG)
    assert not breaches_of_reading(message, [first, second, third])
    await client.discard()


async def test_stop_ends_the_request_to_the_upstream(with_aimock: Server) -> None:
    client = await Client.sign_in(with_aimock)
    conversation = await client.new_conversation(model=None)
    reader = await client.send(conversation, "say much")
    await reader.until_received(50)
    await client.stop(reader.ledger.run_id)
    ended = await reader.until_ended(3)
    assert (ended["status"], ended["reason"]) == ("stopped", "user")
    message = await client.settled(conversation, reader.ledger.run_id)
    assert LONG.startswith(message["content"]) and len(message["content"]) < len(LONG)
    await client.discard()


async def test_the_servers_log_is_quiet_about_all_of_it(with_aimock: Server) -> None:
    """An upstream's fault is no error of ours; keep this test last."""
    assert not with_aimock.errors(), with_aimock.errors()
