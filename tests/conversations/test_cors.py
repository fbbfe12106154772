"""Pages of other sites: those of CORS_ALLOWED_ORIGINS, with an API key alone."""

from typing import Any

import pytest
from pytest_django import Settings

from conversations.checks import check_cors_origins
from tests.conftest import Client
from tests.conversations.test_keys import key_of

FRONT = "https://front.example"
ALLOW = "Access-Control-Allow-Origin"


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [FRONT]


async def preflight(client: Client, origin: str, path: str = "/api/conversations") -> Any:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    return await client.options(path, headers=headers)


async def test_a_page_of_an_allowed_origin_asks_with_a_key(alice: Client) -> None:
    asked = await preflight(Client(), FRONT)
    assert (asked.status_code, asked[ALLOW]) == (204, FRONT)
    assert "Authorization" in asked["Access-Control-Allow-Headers"]
    key = await key_of(alice)
    made = await Client().ask("POST", "/api/conversations", {}, origin=FRONT, authorization=key)
    assert (made.status_code, made[ALLOW]) == (201, FRONT)
    wrong = await Client().ask("GET", "/api/models", origin=FRONT, authorization="Bearer x")
    assert wrong[ALLOW] == FRONT
    for response in (asked, made, wrong):
        assert "Origin" in response["Vary"]
        assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("origin", ["https://evil.example", "null", FRONT + ".evil.example", ""])
async def test_a_page_of_another_origin_reads_nothing(alice: Client, origin: str) -> None:
    assert ALLOW not in await preflight(Client(), origin)
    key = await key_of(alice)
    response = await Client().ask("GET", "/api/models", origin=origin, authorization=key)
    assert ALLOW not in response
    assert "Origin" in response["Vary"]


async def test_a_cookie_lets_no_page_of_another_origin_read_or_write(alice: Client) -> None:
    response = await alice.ask("GET", "/api/conversations", origin=FRONT)
    assert ALLOW not in response
    response = await alice.ask("POST", "/api/conversations", {}, origin=FRONT)
    assert response.status_code == 403
    assert ALLOW not in response


async def test_what_is_not_the_api_is_not_shared(alice: Client) -> None:
    key = await key_of(alice)
    assert ALLOW not in await preflight(Client(), FRONT, "/account/keys")
    assert ALLOW not in await Client().get("/", headers={"origin": FRONT, "authorization": key})


async def test_without_origins_nothing_is_said_of_them(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = []
    response = await preflight(Client(), FRONT)
    assert response.status_code == 405
    assert ALLOW not in response


@pytest.mark.parametrize(
    "origin", ["front.example", "https://front.example/", "*", "https://*.a.b"]
)
def test_an_origin_that_no_browser_sends_is_reported(settings: Settings, origin: str) -> None:
    settings.CORS_ALLOWED_ORIGINS = [origin]
    [error] = check_cors_origins()
    assert error.id == "holdfast_conversations.E040"
    settings.CORS_ALLOWED_ORIGINS = [FRONT, "http://localhost:3000"]
    assert check_cors_origins() == []
