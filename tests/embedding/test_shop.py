"""Both apps in a project with users, URLs, sessions, middleware and an admin of its own."""

import re
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from websockets.asyncio.client import connect

from tests.embedding.hosts import CONTENT, EMAIL, PASSWORD, REPLY, Host, ModelServer, Visitor
from tests.integration.client import new_id
from tests.integration.socket_client import Socket

API = "/assistant/api"


class Keeper(Visitor):
    """The one who keeps the shop, signed in at the shop's own page."""

    csrf_cookie = "shop_csrf"

    async def converse(self) -> str:
        answer = await self.request("POST", f"{API}/conversations", {}, headers=self.token)
        assert answer.status == 201, answer.body
        return str(answer.json()["id"])

    async def reply(self, conversation: str) -> dict[str, object]:
        answer = await self.get(f"{API}/conversations/{conversation}/messages")
        return dict(answer.json()["messages"][-1])


@pytest.fixture
async def keeper(shop: Host) -> AsyncIterator[Keeper]:
    found = Keeper(await shop.serving())
    if not shop.cookies:
        await found.sign_in_at("/sign-in/", username=EMAIL, password=PASSWORD)
        shop.cookies.update(found.cookies)
    found.cookies.update(shop.cookies)
    yield found
    await found.discard()


def test_the_shop_does_without_the_project_of_this_repository(shop: Host) -> None:
    assert "No module named 'chatproject'" in shop.run("-c", "import chatproject").stderr


def test_the_shop_s_checks_and_migrations_are_content(shop: Host) -> None:
    shop.shell(CONTENT)


def test_settings_that_are_missing_are_named_with_a_hint(shop: Host) -> None:
    bare = "from shop.settings import *\n"
    bare += "del STREAMING, CHAT_PROVIDERS, CHANNEL_LAYERS, PRODUCT_NAME, LOGIN_URL\n"
    bare += "MIDDLEWARE = []\nDATABASES['default']['OPTIONS'] = {}\n"
    bare += "TEMPLATES[0]['APP_DIRS'] = False\nLOGIN_URL = 'nowhere'\n"
    (shop.root / "bare.py").write_text(bare)
    done = shop.run("manage.py", "check", "--fail-level", "WARNING", DJANGO_SETTINGS_MODULE="bare")
    found = re.findall(r"\((holdfast_\w+\.[EW]\d+)\).*\n\tHINT: \S", done.stderr)
    assert "Traceback" not in done.stderr
    assert sorted(set(found)) == [
        "holdfast_conversations.E002",
        "holdfast_conversations.E003",
        "holdfast_conversations.E005",
        "holdfast_conversations.E006",
        "holdfast_conversations.W001",
        "holdfast_streaming.E004",
        "holdfast_streaming.W001",
    ]


async def test_the_session_names_the_shop_s_own_user(keeper: Keeper) -> None:
    user = (await keeper.get(f"{API}/session")).json()["user"]
    assert UUID(user.pop("id"))
    assert user == {"name": EMAIL, "guest": False, "staff": True, "password": True}


async def test_the_page_says_where_its_api_is(keeper: Keeper) -> None:
    page = (await keeper.get("/assistant/")).body.decode()
    assert 'data-base="/assistant/"' in page
    assert 'data-csrf-cookie="shop_csrf"' in page
    assert 'data-sign-in="/sign-in/"' in page
    assert 'href="/back-office/holdfast_conversations/conversation/"' in page
    assert "<title>Shop assistant</title>" in page
    assert not re.search(r'(href|src)="/(api|c)/', page)
    conversation = await keeper.converse()
    assert (await keeper.get(f"/assistant/c/{conversation}")).status == 200
    assert (await keeper.get("/")).body == b"The shop is open."
    schema = (await keeper.get(f"{API}/openapi.json")).json()
    assert all(path.startswith(f"{API}/") for path in schema["paths"])


async def test_a_reply_outlives_its_reader_and_is_resumed_at_the_cursor(
    keeper: Keeper, model_server: ModelServer
) -> None:
    conversation, reply_id = await keeper.converse(), new_id()
    path = f"{API}/conversations/{conversation}/messages"
    reader = await keeper.stream(path, reply_id, {"reply_id": reply_id, "content": "Rope?"})
    assert reader.connection.headers["location"] == f"{API}/runs/{reply_id}/events"
    assert reader.connection.headers["x-shop"] == "open"
    await reader.until_received(100)
    reader.rst()
    cursor, begun = reader.ledger.cursor, reader.ledger.text
    assert (await keeper.reply(conversation))["status"] == "running"

    model_server.may_finish.set()
    rest = await keeper.stream(reader.connection.headers["location"], reply_id, after=cursor)
    ended = await rest.until_ended()
    stored = await keeper.reply(conversation)
    assert begun + rest.ledger.text == stored["content"] == REPLY
    assert ended["status"] == stored["status"] == "completed"
    assert reader.ledger.faults == rest.ledger.faults == []
    assert model_server.asked == [
        {"model": "clerk-1", "messages": [{"role": "user", "content": "Rope?"}]}
    ]


async def test_a_second_start_is_told_where_the_first_one_streams(
    keeper: Keeper, model_server: ModelServer
) -> None:
    conversation = await keeper.converse()
    path = f"{API}/conversations/{conversation}/messages"
    first = await keeper.request("POST", path, {"content": "Tar?"}, headers=keeper.token)
    second = await keeper.request("POST", path, {"content": "Oakum?"}, headers=keeper.token)
    assert (first.status, second.status) == (202, 409)
    events = first.json()["events"]
    assert (
        second.json()["error"]["events"] == events == f"{API}/runs/{first.json()['run_id']}/events"
    )
    model_server.may_finish.set()
    await (await keeper.stream(events, first.json()["run_id"])).until_ended()


async def test_a_socket_below_the_prefix_streams_and_tells_the_lists(
    keeper: Keeper, model_server: ModelServer
) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in keeper.cookies.items())
    socket = Socket(
        await connect(
            f"ws://127.0.0.1:{keeper.server.port}/assistant/ws/chat/",
            additional_headers={"Cookie": cookies, "Origin": keeper.server.url},
            proxy=None,
        )
    )
    keeper.sockets.append(socket)
    conversation, reply_id = await keeper.converse(), new_id()
    model_server.may_finish.set()
    await socket.say(
        type="send", ref="1", conversation_id=conversation, content="Rope?", reply_id=reply_id
    )
    await socket.heard(type="accepted", run_id=reply_id)
    ended = await socket.ended(reply_id)
    assert socket.ledgers[reply_id].text == REPLY == (await keeper.reply(conversation))["content"]
    assert ended["status"] == "completed"
    # The owner's key is a UUID, which databases give back in a form of their own.
    await socket.heard(type="run.ended", run_id=reply_id)


async def test_the_back_office_shows_what_was_said_and_the_shop_s_own_people(
    keeper: Keeper, model_server: ModelServer
) -> None:
    conversation = await keeper.converse()
    path = f"{API}/conversations/{conversation}/messages"
    started = await keeper.request("POST", path, {"content": "Rope?"}, headers=keeper.token)
    office = "/back-office/holdfast_conversations"
    pages = {
        f"{office}/conversation/": EMAIL,
        f"{office}/conversation/?q=keeper": EMAIL,
        f"{office}/conversation/{conversation}/change/": "Rope?",
        f"{office}/guest/": "0 guests",
        "/back-office/holdfast_streaming/run/": started.json()["run_id"],
        "/back-office/holdfast_streaming/worker/": "1 worker",
        "/back-office/accounts/account/": EMAIL,
    }
    for page, said in pages.items():
        answer = await keeper.get(page)
        assert answer.status == 200, page
        assert said in answer.body.decode(), page
    model_server.may_finish.set()
    await (await keeper.stream(started.json()["events"], started.json()["run_id"])).until_ended()


async def test_a_body_beyond_django_s_limit_is_refused_in_the_contract_s_words(
    keeper: Keeper,
) -> None:
    body = {"title": "x" * 3_000_000}
    answer = await keeper.request("POST", f"{API}/conversations", body, headers=keeper.token)
    assert (answer.status, answer.code) == (413, "too_large")


async def test_a_visitor_becomes_a_guest_of_the_shop_s_kind(
    shop: Host, model_server: ModelServer
) -> None:
    (shop.root / "open_door.py").write_text("from shop.settings import *\nALLOW_GUESTS = True\n")
    shop.shell(CONTENT, DJANGO_SETTINGS_MODULE="open_door")
    server = await shop.serving("uvicorn-asyncio", DJANGO_SETTINGS_MODULE="open_door")
    visitor = Keeper(server)
    await visitor.get("/assistant/")
    conversation = await visitor.converse()
    user = (await visitor.get(f"{API}/session")).json()["user"]
    assert (user["guest"], user["staff"], user["name"]) == (True, False, "")
    names = "from accounts.models import Account\n"
    names += f"print(Account.objects.get(id='{user['id']}').email)"
    assert re.fullmatch(r"guest-\w+@guest\.invalid", shop.shell(names).strip())
    assert (await visitor.get(f"/assistant/c/{conversation}")).status == 200
    await visitor.discard()
