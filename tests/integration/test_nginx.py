"""Through nginx as it is shipped in `deploy/nginx`: streams, sockets, sizes, addresses."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.integration.client import Client, new_id
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading
from tests.integration.proxy import Nginx
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually
from tests.integration.socket_reader import SocketReader

ENV = {"STREAMING_HEARTBEAT_SECONDS": "0.3", "STREAMING_TRUSTED_PROXIES": "1"}


@dataclass
class Site:
    """Two workers behind one nginx."""

    nginx: Nginx
    workers: list[Server]
    clients: list[Client] = field(default_factory=list)

    @property
    def database(self) -> str:
        return self.workers[0].database

    async def client(self) -> Client:
        """A guest who knows nothing but nginx."""
        client = await Client.sign_in(self.nginx)
        self.clients.append(client)
        return client

    def open_gate(self, name: str) -> None:
        for worker in self.workers:
            worker.open_gate(name)


@pytest.fixture(scope="module")
def shared(sqlite: SQLite) -> Iterator[Site]:
    first = Server(kind="uvicorn", database=sqlite.new(), env=ENV)
    run_directory = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = Server(kind="uvicorn", database=first.database, env=ENV | run_directory)
    found = Site(Nginx([first.port, second.port]), [first, second])

    async def start() -> None:
        await asyncio.gather(first.start(), second.start())
        await found.nginx.start()

    asyncio.run(start())
    yield found
    found.nginx.discard()
    first.discard()
    second.discard()


@pytest.fixture
async def site(shared: Site) -> AsyncIterator[Site]:
    """The site, whose workers must have nothing to complain of after the test."""
    marks = [worker.mark() for worker in shared.workers]
    yield shared
    for client in shared.clients:
        await client.discard()
    shared.clients.clear()
    for worker, mark in zip(shared.workers, marks, strict=True):
        assert not worker.errors(mark), worker.errors(mark)


async def test_the_first_token_is_not_kept_back_and_heartbeats_pass(site: Site) -> None:
    client = await site.client()
    conversation = await client.new_conversation()
    steps = [{"text": "first"}, {"gate": "first"}, {"text": " rest"}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(5, 3)
    await reader.until(lambda ledger: any(e["type"] == "ping" for e in ledger.events), 3)
    assert reader.ledger.text == "first"
    site.open_gate("first")
    await reader.until_ended(5)
    message = await client.settled(conversation, reader.ledger.run_id)
    assert message["content"] == "first rest"
    assert not breaches_of_reading(message, [reader])


async def test_a_socket_passes_and_lets_stop(site: Site) -> None:
    client = await site.client()
    conversation = await client.new_conversation()
    content = script({"text": "kept"}, {"stall": True})
    ids = {"id": new_id(), "reply_id": new_id()}
    reader = await SocketReader.send(client, conversation, content, **ids)
    await eventually(lambda: reader.ledger.received == 4, 5, "no text over the socket")
    await reader.stop()
    await eventually(lambda: reader.ended, 5, "no end over the socket")
    message = await client.settled(conversation, reader.ledger.run_id)
    assert (message["status"], message["content"]) == ("stopped", "kept")
    assert not breaches_of_reading(message, [reader])


async def test_readers_resume_after_nginx_was_killed(site: Site) -> None:
    client = await site.client()
    conversation = await client.new_conversation()
    steps = [{"repeat": 40, "text": "over ", "pause_ms": 5}, {"gate": "nginx"}]
    reader = await client.send(conversation, script(*steps, {"text": "end"}, {"finish": "stop"}))
    await reader.until_received(20)
    site.nginx.kill()
    await reader.until_closed(5)
    await site.nginx.start()
    resumed = await client.follow(reader.ledger.run_id, reader.ledger.cursor)
    site.open_gate("nginx")
    await resumed.until_ended(10)
    message = await client.settled(conversation, reader.ledger.run_id)
    assert (message["status"], message["content"]) == ("completed", "over " * 40 + "end")
    assert not breaches_of_reading(message, [reader, resumed])


@pytest.mark.parametrize("size", [1_200_000, 4_000_000], ids=["application's", "nginx's"])
async def test_what_is_too_large_is_refused_in_the_words_of_the_protocol(
    site: Site, size: int
) -> None:
    client = await site.client()
    answer = await client.post("/api/conversations", b'"' + b"x" * size + b'"')
    assert answer.status == 413
    assert answer.code == "too_large"
    assert answer.headers["content-type"].startswith("application/json")


async def test_a_file_within_its_own_limit_reaches_the_application(site: Site) -> None:
    client = await site.client()
    await client.new_conversation()
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    body = head + b"Content-Type: text/plain\r\n\r\n" + b"rope " * 800_000 + b"\r\n--x--\r\n"
    answer = await client.post("/api/attachments", body, headers=form)
    assert answer.status == 201, (answer.status, answer.body[:500])
    assert answer.json()["size"] == 4_000_000


async def test_figures_are_not_shown_and_ids_of_requests_go_through(site: Site) -> None:
    client = await site.client()
    assert (await client.get("/metrics")).status == 404
    asked = await client.request("GET", "/healthz", headers={"X-Request-ID": "from-the-client"})
    assert asked.headers["x-request-id"] == "from-the-client"
    made = await client.get("/healthz")
    assert len(made.headers["x-request-id"]) == 32


async def test_static_files_come_from_the_disk_packed_and_are_kept(site: Site) -> None:
    client = await site.client()
    (site.nginx.static / "page.0123456789ab.js").write_text("hashed")
    (site.nginx.static / "page.0123456789ab.js.gz").write_bytes(b"packed")
    (site.nginx.static / "page.js").write_text("plain")
    hashed = await client.get("/static/page.0123456789ab.js")
    assert hashed.body == b"hashed"
    assert "immutable" in hashed.headers["cache-control"]
    assert "javascript" in hashed.headers["content-type"]
    assert hashed.headers["x-content-type-options"] == "nosniff"
    gzip = {"Accept-Encoding": "gzip"}
    packed = await client.request("GET", "/static/page.0123456789ab.js", headers=gzip)
    assert (packed.body, packed.headers["content-encoding"]) == (b"packed", "gzip")
    plain = await client.get("/static/page.js")
    assert (plain.body, plain.headers["cache-control"]) == (b"plain", "public, max-age=60")
    of_a_worker = await client.get("/static/conversations/js/sse.js")
    assert of_a_worker.status == 200
    assert (await client.get("/static/none.0123456789ab.js")).status == 404


async def test_a_stream_is_not_packed_even_for_who_asks(site: Site) -> None:
    client = await site.client()
    conversation = await client.new_conversation()
    body = {"content": script({"text": "plain"}, {"finish": "stop"})}
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
    path = f"/api/conversations/{conversation}/messages"
    answer = await client.post(path, body, headers=headers)
    assert "content-encoding" not in answer.headers
    assert b"plain" in answer.body


async def test_limits_count_the_clients_address_and_believe_nobody_else(
    servers: Servers,
) -> None:
    limits = {"STREAMING_STARTS_PER_MINUTE_PER_ADDRESS": "1", "STREAMING_STARTS_PER_MINUTE": "60"}
    worker = await servers.start(env=ENV | limits)
    nginx = await Nginx([worker.port]).start()
    try:
        assert await _start(nginx, "127.0.0.1", forged="192.0.2.1") == 202
        assert await _start(nginx, "127.0.0.1", forged="192.0.2.2") == 429
        assert await _start(nginx, "127.0.0.2", forged="192.0.2.2") == 202
    finally:
        nginx.discard()


async def _start(nginx: Nginx, address: str, *, forged: str) -> int:
    """Ask something as a new guest at an address who claims another one; give the status."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    headers = {"X-Forwarded-For": forged}
    async with httpx.AsyncClient(
        base_url=nginx.url, transport=transport, headers=headers, timeout=20
    ) as guest:
        await guest.get("/api/session")
        token = {"X-CSRFToken": guest.cookies["csrftoken"]}
        made = await guest.post("/api/conversations", json={"model": "scripted"}, headers=token)
        token = {"X-CSRFToken": guest.cookies["csrftoken"]}
        path = f"/api/conversations/{made.json()['id']}/messages"
        said = {"content": script({"text": "done"}, {"finish": "stop"})}
        return (await guest.post(path, json=said, headers=token)).status_code


async def test_without_any_worker_the_api_says_when_to_come_back(servers: Servers) -> None:
    worker = await servers.start()
    nginx = await Nginx([worker.port]).start()
    try:
        client = await Client.sign_in(nginx)
        await worker.terminate()
        answer = await client.post("/api/conversations", {})
        assert (answer.status, answer.code) == (503, "draining")
        assert answer.headers["retry-after"] == "2"
    finally:
        nginx.discard()
