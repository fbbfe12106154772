"""What a server writes into its log in a whole session of a person, at its most talkative."""

import json
from uuid import uuid4

import httpx
import pytest

from tests.integration.client import Client
from tests.integration.fleet import Servers
from tests.integration.servers import eventually
from tests.integration.socket_client import Socket

PASSWORD = "a-rope-and-an-anchor"
SAID = "my diary of the harbour"
ANSWERED = "what the model made of it"
HOSTILE = "agent ERROR forged"


@pytest.mark.parametrize("style", ["text", "json"])
async def test_a_session_leaves_neither_content_nor_secrets_in_the_log(
    servers: Servers, style: str
) -> None:
    server = await servers.start(env={"LOG_LEVEL": "DEBUG", "LOG_FORMAT": style})
    name, request_id = f"dora-{uuid4().hex[:8]}", f"from-a-proxy-{uuid4().hex}"
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as browser:
        browser.headers["User-Agent"] = HOSTILE
        await browser.get("/account/sign-up?next=/%0aERROR-forged")
        secrets = {
            "username": name,
            "email": f"{name}@harbour.example",
            "password": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        await browser.post("/account/sign-up", data=secrets)
        await browser.post("/account/sign-in", data={**secrets, "password": PASSWORD + "-wrong"})
        await browser.get("/s/a-token-of-a-shared-page-that-lets-in-01234567?key=" + PASSWORD)
        form = {"name": "a program", "scopes": ["read", "chat"]}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]  # type: ignore[assignment]
        page = (await browser.post("/account/keys", data=form)).text
        key = page[page.index("hf_") :][:46]
        identified = await browser.get("/api/models", headers={"X-Request-ID": request_id})
        assert identified.headers["x-request-id"] == request_id
        client = Client(server)
        client.cookies.update(browser.cookies)
        private = [*browser.cookies.values(), key, PASSWORD, name, SAID, ANSWERED]

    steps = [{"text": ANSWERED}, {"raise": "planted"}]
    script = json.dumps({"said": SAID, "steps": steps})
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script)
    await reader.until_ended()
    socket = await Socket.open(client)
    await socket.say(type="send", ref=1, conversation_id=conversation, content=script)
    await socket.heard(type="ended")
    await socket.say(type="send", ref=2, conversation_id=conversation, content=["no", SAID])
    await socket.heard(type="error")
    socket.say_goodbye()
    await eventually(lambda: "WebSocket /ws/chat/ closed" in server.log(), 10)
    log = server.log()
    assert "planted" in log, "the failure is told"
    assert request_id in log and "GET /api/models 200" in log
    assert "/events" not in log or "?after" not in log
    for one in private:
        assert one not in log, log[max(log.index(one) - 300, 0) :][:600]
    assert "lets-in-01234567" not in log
    assert "forged" not in log and "\x1b" not in log
    if style == "json":
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert {"timestamp", "level", "logger", "event"} <= set(lines[-1])
        assert len(lines) == len(log.splitlines()), [
            line for line in log.splitlines() if not line.startswith("{")
        ]
        runs = {line["run_id"] for line in lines if "run_id" in line}
        assert reader.ledger.run_id in runs
