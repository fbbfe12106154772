"""People at the page: accounts, themes, languages, keys, small screens."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "a-rope-and-an-anchor"


async def sign_up(visitor: Visitor) -> str:
    """Make an account as a person does, and return its name."""
    name = f"dora-{uuid4().hex[:8]}"
    page = visitor.page
    await page.get_by_role("link", name="Create an account").click()
    await page.fill("[name=username]", name)
    await page.fill("[name=email]", f"{name}@harbour.example")
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.locator(".account-name", has_text=name).wait_for()
    return name


async def choose(page: Page, entry: str) -> None:
    """Open the account's menu and take an entry."""
    await page.click(".account-button")
    await page.get_by_role("menuitem", name=entry).click()


async def test_a_guest_signs_up_in_mid_reply_out_and_in_again_and_loses_nothing(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await visitor.play({"text": "before "}, {"gate": visitor.gate}, {"text": "after"})
    await visitor.sees("before")
    conversation = page.url
    name = await sign_up(visitor)
    assert page.url == conversation
    await visitor.sees("before")
    visitor.open_gate()
    await visitor.sees_end()
    assert await visitor.text() == "before after"

    await choose(page, "Sign out")
    await page.get_by_role("link", name="Sign in").wait_for()
    assert await page.locator(".conversation-row").count() == 0
    await visitor.play({"text": "as another guest"})
    await visitor.sees_end()
    await page.get_by_role("link", name="Sign in").click()
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(".account-name", has_text=name).wait_for()
    await expect(page.locator(".conversation-row")).to_have_count(2)


async def test_a_forgotten_password_is_set_by_the_link_of_an_e_mail(visitor: Visitor) -> None:
    page = visitor.page
    name = await sign_up(visitor)
    await choose(page, "Sign out")
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.fill("[name=email]", f"{name}@harbour.example")
    await page.get_by_role("button", name="Send the link").click()
    await page.get_by_role("heading", name="Look into your mail").wait_for()
    box = visitor.server.home / "mail"

    async def letter() -> str:
        found = [path.read_text() for path in box.glob("*.log")]
        return next((text for text in found if name in text), "")

    await visitor.until(letter, "no e-mail came")
    link = re.search(r"http://\S+", await letter())
    assert link
    await page.goto(link[0])
    for field in ("new_password1", "new_password2"):
        await page.fill(f"[name={field}]", "another-" + PASSWORD)
    await page.get_by_role("button", name="Set password").click()
    await page.get_by_role("heading", name="Your new password is set").wait_for()


async def test_a_theme_holds_at_once_after_a_reload_and_on_every_page(
    chromium: Browser, server: Server
) -> None:
    visitor = await Visitor.arrive(chromium, server, color_scheme="light")
    page = visitor.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await choose(page, "Settings")
    await page.get_by_label("Theme").select_option("dark")
    dark = await page.evaluate(ground)
    assert dark != light
    assert await page.locator("meta[name=theme-color]").get_attribute("content") == dark
    await page.keyboard.press("Escape")
    # What the server sends is dark already: nothing flashes before the modules are there.
    await page.route("**/*.js", lambda route: route.abort())
    visitor.may_fail_to_load = True
    await page.goto(server.url)
    assert await page.evaluate(ground) == dark
    await page.unroute_all()
    await visitor.open("/")
    await choose(page, "Settings")
    await page.get_by_label("Theme").select_option("system")
    assert await page.evaluate(ground) == light
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate(ground) == dark
    await visitor.leave()
    assert visitor.complaints() == []


async def test_the_page_speaks_chinese_when_asked_to(visitor: Visitor) -> None:
    page = visitor.page
    await choose(page, "Settings")
    await page.get_by_label("Language").select_option("zh-hans")
    await page.locator("html[lang=zh-hans]").wait_for()
    await page.wait_for_selector("#model option[value=scripted]", state="attached")
    await page.get_by_placeholder("随便问点什么").wait_for()
    await page.get_by_role("heading", name="想聊点什么？").wait_for()
    await page.get_by_role("link", name="登录").click()
    await page.get_by_role("button", name="登录").click()
    await page.get_by_role("button", name="English").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_an_account_is_deleted_by_whoever_knows_its_password(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "soon gone"})
    await visitor.sees_end()
    name = await sign_up(visitor)
    await choose(page, "Settings")
    await page.get_by_role("button", name="Delete my account").click()
    visitor.may_fail_to_load = True
    await page.get_by_label("Your password").fill("wrong")
    await page.get_by_role("button", name="Delete everything").click()
    await page.get_by_text("That is not your password.").wait_for()
    await page.get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Delete everything").click()
    await page.wait_for_url("**/")
    await page.get_by_role("link", name="Create an account").wait_for()
    assert await page.locator(".conversation-row").count() == 0
    await page.get_by_role("link", name="Sign in").click()
    await page.fill("[name=username]", name)
    await page.fill("[name=password]", PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").wait_for()


async def test_an_account_whose_deletion_was_begun_is_left_though_the_dialog_is_closed(
    visitor: Visitor,
) -> None:
    page = visitor.page
    await sign_up(visitor)
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    async def is_asked() -> bool:
        return bool(held)

    await page.route("**/api/account", hold)
    await choose(page, "Settings")
    await page.get_by_role("button", name="Delete my account").click()
    await page.get_by_label("Your password").fill(PASSWORD)
    await page.get_by_role("button", name="Delete everything").click()
    await visitor.until(is_asked, "nothing was asked")
    await page.keyboard.press("Escape")
    async with page.expect_event("framenavigated"):
        await held[0].continue_()
    await page.get_by_role("link", name="Create an account").wait_for()


async def test_keys_do_what_their_list_says(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "first "}, {"gate": visitor.gate}, {"text": "never"})
    await visitor.sees("first")
    await page.keyboard.press("Escape")
    await visitor.sees_end("stopped")
    visitor.open_gate()
    await expect(page.locator("#message")).to_be_focused()

    await page.keyboard.press("Control+Shift+O")
    await page.wait_for_url("**/")
    await page.locator("#transcript").focus()
    await page.keyboard.press("Shift+Escape")
    await expect(page.locator("#message")).to_be_focused()
    await page.keyboard.type("?")
    assert await page.input_value("#message") == "?"
    await page.locator("#transcript").focus()
    await page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    await sheet.wait_for()
    assert "Stop the reply" in await sheet.inner_text()
    await page.keyboard.press("Escape")
    await sheet.wait_for(state="detached")
    await expect(page.locator("#transcript")).to_be_focused()


async def test_the_button_of_a_menu_closes_it_as_well(visitor: Visitor) -> None:
    button, menu = visitor.page.locator(".account-button"), visitor.page.get_by_role("menu")
    for _ in range(2):
        await button.click()
        await expect(menu).to_be_visible()
        await button.click()
        await expect(menu).to_have_count(0)
    await button.press("Enter")
    await expect(menu).to_be_visible()


async def test_the_menu_of_the_account_stays_its_button_s_while_the_page_learns_who_is_here(
    visitor: Visitor,
) -> None:
    page = visitor.page
    held = await visitor.hold("**/api/session")
    await visitor.reload()
    button, menu = page.locator(".account-button"), page.get_by_role("menu")
    await button.click()
    await expect(menu).to_be_visible()
    for route in held:
        await route.continue_()
    await page.locator(".account-name", has_text="Guest").wait_for()
    await expect(button).to_have_attribute("aria-expanded", "true")
    await button.click()
    await expect(menu).to_have_count(0)


async def test_a_search_begun_with_keys_leaves_them_what_they_do(visitor: Visitor) -> None:
    page = visitor.page
    await visitor.play({"text": "first "}, {"gate": visitor.gate}, {"text": "never"})
    await visitor.sees("first")
    await page.keyboard.press("Control+k")
    await expect(page.locator("#search")).to_be_focused()
    await page.locator("#message").focus()
    await page.keyboard.press("Escape")
    await visitor.sees_end("stopped")
    visitor.open_gate()


async def test_keys_wait_while_an_input_method_composes(visitor: Visitor) -> None:
    await visitor.play({"text": "on "}, {"gate": visitor.gate}, {"text": "and on"})
    await visitor.sees("on")
    await visitor.page.evaluate(
        """() => document.getElementById("message").dispatchEvent(new KeyboardEvent(
             "keydown", { key: "Escape", isComposing: true, bubbles: true, cancelable: true }))"""
    )
    visitor.open_gate()
    await visitor.sees_end()
    assert await visitor.text() == "on and on"


async def test_the_account_pages_fit_a_narrow_screen(chromium: Browser, server: Server) -> None:
    narrow = {"width": 320, "height": 568}
    visitor = await Visitor.arrive(chromium, server, viewport=narrow, has_touch=True)
    overflow = "document.documentElement.scrollWidth > innerWidth"
    for path in ("sign-in", "sign-up", "reset", "reset/sent", "reset/done"):
        await visitor.page.goto(f"{server.url}/account/{path}")
        assert not await visitor.page.evaluate(overflow), path
    await visitor.leave()
    assert visitor.complaints() == []
