"""Through nginx over TLS as it is shipped in `deploy/nginx`: HTTP/2, a WebSocket, the way there."""

import asyncio
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.client import Client, encode, new_id
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading
from tests.integration.ledger import sha256
from tests.integration.proxy import TLSNginx
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually
from tests.integration.socket_reader import SocketReader

ENV = {"HTTPS": "1", "STREAMING_TRUSTED_PROXIES": "1", "STREAMING_HEARTBEAT_SECONDS": "0.3"}
STEPS = [{"text": "first"}, {"gate": "rest"}, {"text": " rest"}, {"finish": "stop"}]


@pytest.fixture
async def worker(servers: Servers) -> AsyncIterator[Server]:
    found = servers.prepare(env=ENV)
    found.spawn()  # it answers over TLS alone: nginx waits for it
    yield found
    assert not found.errors(), found.errors()


@pytest.fixture
async def nginx(worker: Server) -> AsyncIterator[TLSNginx]:
    found = await TLSNginx([worker.port]).start()
    refused = found.errors  # while the worker was about to start
    yield found
    errors = found.errors.removeprefix(refused)
    found.discard()
    assert not errors


@pytest.fixture
async def alice(nginx: TLSNginx) -> AsyncIterator[Client]:
    """A guest who speaks TLS to nginx."""
    client = await Client.sign_in(nginx)  # type: ignore[arg-type]
    yield client
    await client.discard()


async def test_a_reply_streams_over_http2_token_by_token(
    nginx: TLSNginx, worker: Server, alice: Client
) -> None:
    conversation = await alice.new_conversation()
    run_id = new_id()
    body = encode({"content": script(*STEPS), "id": new_id(), "reply_id": run_id})
    headers = {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        "Cookie": "; ".join(f"{name}={value}" for name, value in alice.cookies.items()),
        "Origin": nginx.url,
        "X-CSRFToken": alice.cookies["csrftoken"],
    }
    curl = ["curl", "--silent", "--no-buffer", "--include", "--http2", "--max-time", "20"]
    curl += ["--cacert", str(nginx.certificate), "--data-binary", "@-"]
    for name, value in headers.items():
        curl += ["--header", f"{name}: {value}"]
    url = f"{nginx.url}/api/conversations/{conversation}/messages"
    process = await asyncio.create_subprocess_exec(*curl, url, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(body)
    process.stdin.close()
    head = (await process.stdout.readuntil(b"\r\n\r\n")).decode()
    assert head.startswith("HTTP/2 200"), head
    early = (await process.stdout.readuntil(b'"first"')).decode()
    assert "ended" not in early, "the first token was kept back"
    worker.open_gate("rest")
    late = (await process.stdout.read()).decode()
    assert await process.wait() == 0
    message = await alice.settled(conversation, run_id)
    assert (message["status"], message["content"]) == ("completed", "first rest")
    assert f'"text_sha256":"{sha256("first rest")}"' in re.sub(r'": "', '":"', late)


async def test_a_socket_and_a_stream_pass(worker: Server, alice: Client) -> None:
    conversation = await alice.new_conversation()
    ids = {"id": new_id(), "reply_id": new_id()}
    reader = await SocketReader.send(alice, conversation, script(*STEPS), **ids)
    await eventually(lambda: reader.ledger.received == 5, 5, "no text over the socket")
    other = await alice.follow(reader.ledger.run_id)
    await other.until_received(5, 5)
    worker.open_gate("rest")
    await eventually(lambda: reader.ended, 5, "no end over the socket")
    await other.until_ended(5)
    message = await alice.settled(conversation, reader.ledger.run_id)
    assert (message["status"], message["content"]) == ("completed", "first rest")
    assert not breaches_of_reading(message, [reader, other])


async def test_whoever_comes_without_tls_is_sent_there_and_cookies_stay_with_it(
    nginx: TLSNginx,
) -> None:
    async with httpx.AsyncClient(verify=nginx.trust) as client:
        plain = await client.get(f"http://127.0.0.1:{nginx.plain_port}/c/new?a=b")
        assert plain.status_code == 308
        assert plain.headers["location"] == "https://127.0.0.1/c/new?a=b"
        answer = await client.get(f"{nginx.url}/api/session")
    assert answer.status_code == 200
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    cookies = answer.headers.get_list("set-cookie")
    assert cookies and all("Secure" in cookie for cookie in cookies)
