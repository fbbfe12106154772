"""Sign up, in and out, and passwords; and that a guest's conversations come along."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from pytest_django import Settings

from conversations.models import Conversation, Guest, Person, Prompt
from streaming import threads
from streaming.models import Run
from tests.conftest import Client
from tests.conversations.administration.rows import running
from tests.conversations.chatting import converse, error_of
from tests.waiting import until

PASSWORD = "a-rope-and-an-anchor"


@pytest.fixture(autouse=True)
def doors(settings: Settings) -> None:
    settings.ALLOW_GUESTS = settings.ALLOW_SIGNUP = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


async def fill_in(client: Client, path: str, **form: str) -> Any:
    return await client.post(path, form)


async def sign_up(client: Client, name: str = "dora", **form: str) -> Any:
    form = {"username": name, "email": f"{name}@harbour.example", "password": PASSWORD} | form
    return await fill_in(client, "/account/sign-up", **form)


async def who(client: Client) -> Any:
    return (await client.ask("GET", "/api/session")).json()["user"]


async def titles(client: Client) -> list[str]:
    body = (await client.ask("GET", "/api/conversations")).json()
    return [one["title"] for one in body["conversations"]]


async def test_a_guest_who_signs_up_keeps_everything_as_the_same_user(charlie: Client) -> None:
    conversation = await converse(charlie, title="of a guest")
    before = await who(charlie)
    key = charlie.cookies["sessionid"].value
    response = await sign_up(charlie)
    assert (response.status_code, response["Location"]) == (302, "/")
    after = await who(charlie)
    assert after == {**before, "name": "dora", "guest": False, "password": True}
    assert (await charlie.ask("GET", f"/api/conversations/{conversation}")).status_code == 200
    assert charlie.cookies["sessionid"].value != key
    assert await threads.read(Guest.objects.count) == 0


async def test_a_visitor_signs_up_without_having_been_a_guest(charlie: Client) -> None:
    assert (await sign_up(charlie)).status_code == 302
    assert (await who(charlie))["name"] == "dora"


@pytest.mark.parametrize(
    "form",
    [
        {"username": "DORA"},
        {"username": "guest name"},
        {"password": "short"},
        {"password": "erik@harbour.example"},
        {"email": "nowhere"},
        {"username": ""},
        {"password": ""},
    ],
)
async def test_what_does_not_fit_is_said_and_nobody_is_made(
    charlie: Client, form: dict[str, str]
) -> None:
    await threads.write(lambda: get_user_model().objects.create_user("dora", password=PASSWORD))
    await converse(charlie)
    response = await sign_up(charlie, "erik", **form)
    assert response.status_code == 200
    assert 'class="field-errors"' in response.content.decode()
    assert (await who(charlie))["guest"]


async def test_sign_up_can_be_switched_off(charlie: Client, settings: Settings) -> None:
    settings.ALLOW_SIGNUP = False
    assert (await sign_up(charlie)).status_code == 404
    assert "sign-up" not in (await charlie.get("/account/sign-in")).content.decode()
    assert await who(charlie) is None


async def test_a_guest_who_signs_in_brings_all_along_and_is_gone(
    clients: Any, charlie: Client
) -> None:
    dora = await clients("")
    await sign_up(dora)
    await converse(dora, title="of dora")
    await converse(charlie, title="of a guest")
    guest = (await who(charlie))["id"]

    def prepare() -> None:
        user = get_user_model().objects.get(username="dora")
        for owner in (user.pk, int(guest)):
            Prompt.objects.create(owner_id=owner, name="same", content=f"of {owner}")
        Prompt.objects.create(owner_id=int(guest), name="another", content="kept")
        running(Conversation.objects.get(owner_id=guest))

    await threads.write(prepare)
    revision = await threads.read(lambda: Person.objects.get(user__username="dora").revision)
    response = await fill_in(charlie, "/account/sign-in", username="dora", password=PASSWORD)
    assert response.status_code == 302

    def look() -> dict[str, Any]:
        user = get_user_model().objects.get(username="dora")
        found = {
            "run": Run.objects.get().owner_key == str(user.pk),
            "prompts": sorted(Prompt.objects.values_list("name", "content")),
            "guests": Guest.objects.count(),
            "users": get_user_model().objects.count(),
            "revision": Person.objects.get(user=user).revision > revision,
        }
        Run.objects.all().delete()
        return found

    dora_id = (await who(dora))["id"]
    assert await threads.write(look) == {
        "run": True,
        "prompts": [("another", "kept"), ("same", f"of {dora_id}")],
        "guests": 0,
        "users": 1,
        "revision": True,
    }
    assert sorted(await titles(charlie)) == sorted(await titles(dora)) == ["of a guest", "of dora"]


async def test_signing_in_as_somebody_else_takes_nothing_from_the_first(
    clients: Any, charlie: Client
) -> None:
    dora = await clients("")
    await sign_up(dora)
    await converse(dora, title="of dora")
    await sign_up(charlie, "erik")
    response = await fill_in(charlie, "/account/sign-in", username="dora", password=PASSWORD)
    assert response.status_code == 302
    assert await threads.read(get_user_model().objects.count) == 2
    assert await titles(charlie) == ["of dora"]


async def test_a_wrong_password_and_an_unknown_name_are_answered_alike(charlie: Client) -> None:
    await sign_up(charlie)
    await charlie.post("/account/sign-out")
    said = []
    for name in ("dora", "nobody"):
        response = await fill_in(charlie, "/account/sign-in", username=name, password="wrong")
        found = re.search(r'role="alert">(.*?)</div>', response.content.decode(), re.S)
        assert found
        said.append(found[1])
    assert said[0] == said[1]
    assert await who(charlie) is None


@pytest.mark.parametrize("path", ["/account/sign-in", "/account/sign-up"])
async def test_nobody_is_led_to_another_site(clients: Any, path: str) -> None:
    first = await clients("")
    await sign_up(first, "erik")
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"):
        client = await clients("")
        name = "erik" if path.endswith("in") else f"f{abs(hash(target))}"
        form = {"username": name, "password": PASSWORD, "next": target}
        assert (await fill_in(client, path, **form))["Location"] == "/"
    client = await clients("")
    form = {"username": "erik", "password": PASSWORD, "next": "/c/some"}
    assert (await fill_in(client, "/account/sign-in", **form))["Location"] == "/c/some"


async def test_signing_out_takes_a_post(charlie: Client) -> None:
    await sign_up(charlie)
    assert (await charlie.get("/account/sign-out")).status_code == 405
    assert (await who(charlie))["name"] == "dora"
    assert (await charlie.post("/account/sign-out"))["Location"] == "/"
    assert await who(charlie) is None


async def test_forms_need_their_token(charlie: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    for path in ("sign-in", "sign-up", "sign-out", "reset", "language"):
        assert (await strict.post(f"/account/{path}", {})).status_code == 403, path


async def test_a_changed_password_ends_the_other_sessions(clients: Any) -> None:
    here, there = await clients(""), await clients("")
    await sign_up(here)
    await fill_in(there, "/account/sign-in", username="dora", password=PASSWORD)
    form = {"old_password": PASSWORD, "new_password1": "another-" + PASSWORD}
    form["new_password2"] = form["new_password1"]
    response = await fill_in(here, "/account/password", **form)
    assert response["Location"] == "/account/password/changed"
    assert (await who(here))["name"] == "dora"
    assert error_of(await there.ask("GET", "/api/conversations")) == (401, "not_signed_in")


async def test_a_guest_has_no_password_to_change(charlie: Client) -> None:
    await converse(charlie)
    assert (await charlie.get("/account/password"))["Location"] == "/account/sign-in"


async def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(
    charlie: Client, settings: Settings
) -> None:
    await sign_up(charlie)
    await charlie.post("/account/sign-out")
    response = await fill_in(charlie, "/account/reset", email="DORA@harbour.example")
    assert response["Location"] == "/account/reset/sent"
    await until(lambda: len(mail.outbox) == 1)
    [message] = mail.outbox
    assert message.to == ["dora@harbour.example"]
    assert settings.PRODUCT_NAME in message.subject
    link = re.search(r"http://\S+", message.body)
    assert link
    path = urlsplit(link[0]).path
    form_page = await charlie.get(path)
    assert form_page.status_code == 302
    new = {"new_password1": "another-" + PASSWORD, "new_password2": "another-" + PASSWORD}
    response = await fill_in(charlie, form_page["Location"], **new)
    assert response["Location"] == "/account/reset/done"
    again = (await charlie.get(path)).content.decode()
    assert "does not work any more" in again
    form = {"username": "dora", "password": "another-" + PASSWORD}
    assert (await fill_in(charlie, "/account/sign-in", **form)).status_code == 302


async def test_an_unknown_address_gets_the_same_answer_and_no_e_mail(charlie: Client) -> None:
    response = await fill_in(charlie, "/account/reset", email="nobody@harbour.example")
    assert response["Location"] == "/account/reset/sent"
    assert mail.outbox == []


async def test_without_mail_nobody_is_offered_a_link(charlie: Client, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    assert (await charlie.get("/account/reset")).status_code == 404
    assert "/account/reset" not in (await charlie.get("/account/sign-in")).content.decode()


async def test_a_project_with_a_sign_in_of_its_own_has_none_of_ours(
    charlie: Client, settings: Settings
) -> None:
    settings.LOGIN_URL = "admin:login"
    for path in ("sign-in", "sign-up", "password", "reset", "reset/sent"):
        assert (await charlie.get(f"/account/{path}")).status_code == 404, path
    page = (await charlie.get("/")).content.decode()
    assert 'data-sign-in="/admin/login/"' in page
    assert 'data-sign-out=""' in page


async def test_the_theme_and_the_language_of_a_browser_are_in_every_page(charlie: Client) -> None:
    charlie.cookies["holdfast_theme"] = "dark"
    for path in ("/", "/account/sign-in", "/nothing/here"):
        page = (await charlie.get(path)).content.decode()
        assert '<html lang="en" data-theme="dark">' in page, path
    charlie.cookies["holdfast_theme"] = '"><script>'
    assert '<html lang="en">' in (await charlie.get("/")).content.decode()
    form = {"language": "zh-hans", "next": "/account/sign-in"}
    response = await fill_in(charlie, "/account/language", **form)
    assert response["Location"] == "/account/sign-in"
    assert '<html lang="zh-hans">' in (await charlie.get("/account/sign-in")).content.decode()
    form["next"] = "https://evil.example/"
    assert (await fill_in(charlie, "/account/language", **form))["Location"] == "/"


async def test_the_chat_can_be_installed(charlie: Client) -> None:
    response = await charlie.get("/manifest.webmanifest")
    assert response["Content-Type"] == "application/manifest+json"
    manifest = response.json()
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "/",
        "/",
        "standalone",
    )
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert "maskable" in {icon.get("purpose") for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        assert (await charlie.get(icon["src"])).status_code == 200
    assert (await charlie.get("/favicon.ico")).status_code == 302
    page = (await charlie.get("/")).content.decode()
    assert 'rel="manifest" href="/manifest.webmanifest"' in page


async def test_errors_speak_the_language_of_whoever_asked(alice: Client) -> None:
    async def said(language: str, body: dict[str, Any]) -> str:
        headers = {"accept-language": language}
        answer = await alice.ask("POST", "/api/conversations", body, **headers)
        return str(answer.json()["error"]["message"])

    long = {"title": "x" * 201}
    assert await said("en", long) == "title: is longer than 200 characters"
    assert await said("zh-hans", long) == "title: 超过 200 个字符"
    assert await said("zh-hans", {"model": "nobody's"}) == "不提供此模型。"
    assert (
        await said("zh-hans", {"settings": {"temperature": 9}})
        == "settings.temperature: 不符合要求"
    )
