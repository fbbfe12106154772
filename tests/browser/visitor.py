"""A person at the page: what they do, what they see, and what their browser complains about."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    expect,
)

from tests.integration.servers import Server, eventually

PATIENCE_MS = 20_000
"""How long a page may take for what it does; the 5 s of `expect` are few on a busy machine."""

expect.set_options(timeout=PATIENCE_MS)

RECORDER = """
window.breaches = [];
addEventListener("securitypolicyviolation", (event) =>
  breaches.push(`policy: ${event.violatedDirective} ${event.blockedURI}`));
const seen = new Map();
const busy = new Map();
const bubbles = new Map();
const opening = new Map();
function asWritten(text) {
  if (!text.querySelector("[data-source]")) return text.textContent;
  const copy = text.cloneNode(true);
  for (const formula of copy.querySelectorAll("[data-source]"))
    formula.textContent = formula.dataset.source;
  return copy.textContent;
}
function look() {
  for (const reply of document.querySelectorAll("article.reply")) {
    const id = reply.dataset.message;
    const shown = asWritten(reply.querySelector(".reply-text"));
    const text = shown.replace(/[^\\p{L}]+/gu, " ").trim();
    const before = seen.get(id) ?? "";
    const isBusy = reply.querySelector(".reply-text[aria-busy]") !== null;
    const mayBegin = isBusy || busy.get(id);
    busy.set(id, isBusy);
    if (bubbles.get(id) !== reply) opening.set(id, isBusy); // it is drawn anew, from its end
    bubbles.set(id, reply);
    if (isBusy && opening.get(id)) continue;
    opening.delete(id);
    if (mayBegin ? !text.includes(before) : !text.startsWith(before)) {
      let at = 0;
      while (before[at] === text[at]) at += 1;
      const [from, to] = [before, text].map((one) => one.slice(Math.max(at - 40, 0), at + 40));
      breaches.push(`text went from "${from}" to "${to}"`);
    }
    seen.set(id, text);
  }
}
if (location.protocol.startsWith("http")) {
  new MutationObserver(look).observe(document, {
    subtree: true, childList: true, characterData: true,
  });
}
"""
"""Notes every moment at which the text of a reply is not a continuation of what it was.

Only letters count: `**bold**` loses its stars when it is whole. A drawn formula counts as it was
written. A long reply that is opened may grow at its beginning, while it is busy.
"""


@dataclass
class Visitor:
    """One person, one browser profile, one tab."""

    server: Server
    context: BrowserContext
    page: Page
    errors: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    may_fail_to_load: bool = False
    """Set where the test takes the server away, or asks for what is refused."""
    may_reread: bool = False
    """Set where half a piece of markup shows as text until the rest of it has come."""
    gate: str = field(default_factory=lambda: f"gate-{uuid4()}")
    """What a script waits for until `open_gate`."""
    tabs: list["Visitor"] = field(default_factory=list)
    """Further tabs of the same person and browser."""
    frames: list[str] = field(default_factory=list)
    """What WebSockets brought to this tab."""

    @classmethod
    async def arrive(cls, browser: Browser, server: Server, **options: Any) -> "Visitor":
        """Open the page with a fresh profile."""
        options = {"viewport": {"width": 1280, "height": 800}} | options
        context = await browser.new_context(**options)
        await context.add_init_script(RECORDER)
        visitor = cls(server, context, await context.new_page())
        visitor._listen()
        await visitor.open("/")
        return visitor

    async def tab(self, path: str = "/") -> "Visitor":
        """Open another tab; what it complains about counts for this visitor."""
        other = replace(self, page=await self.context.new_page(), tabs=[], frames=[])
        self.tabs.append(other)
        other._listen()
        await other.open(path)
        return other

    def _listen(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._note))

    def _note(self, frame: str | bytes) -> None:
        self.frames.append(str(frame))

    async def open(self, path: str) -> None:
        """Go to an address and wait until the page works."""
        await self.page.goto(self.server.url + path)
        await self.page.wait_for_selector("#model option[value=scripted]", state="attached")

    async def reload(self) -> None:
        """Load the page again, as a person does."""
        await self._keep_breaches()
        await self.page.reload()
        await self.page.wait_for_selector("#model option[value=scripted]", state="attached")

    async def leave(self) -> None:
        for tab in (self, *self.tabs):
            await tab._keep_breaches()
        await self.context.close()

    def complaints(self) -> list[str]:
        """Everything that should not have happened so far."""
        changed = "text went from"
        kept = [b for b in self.breaches if not (self.may_reread and b.startswith(changed))]
        return self.errors + kept

    async def choose(self, model: str) -> None:
        await self.page.select_option("#model", model)

    async def say(self, text: str) -> None:
        """Write a message and press Enter."""
        await self.page.fill("#message", text)
        await self.page.press("#message", "Enter")

    async def play(self, *steps: dict[str, Any]) -> None:
        """Ask the scripted model to play these steps."""
        await self.choose("scripted")
        await self.say(json.dumps({"steps": steps}))

    async def hold(self, url: str) -> list[Route]:
        """Hold back requests for an address from now on, and give those that came."""
        held: list[Route] = []

        async def keep(route: Route) -> None:
            held.append(route)

        await self.page.route(url, keep)
        return held

    def open_gate(self) -> None:
        """Let the script go on."""
        self.server.open_gate(self.gate)

    @property
    def reply(self) -> Locator:
        """The last reply."""
        return self.page.locator("article.reply").last

    async def text(self) -> str:
        """The text of the last reply, as it is shown."""
        return str(await self.reply.locator(".reply-text").text_content() or "").strip()

    async def sees(self, text: str, seconds: float = 15.0) -> None:
        """Wait until the last reply shows a text."""

        async def shown() -> bool:
            return text in await self.text()

        await self.until(shown, f"{text!r} is not shown", seconds)

    async def sees_end(self, status: str = "completed", seconds: float = 25.0) -> None:
        """Wait until the last reply shows its end, and all its text is drawn."""
        drawing = self.reply.locator(".reply-text[aria-busy]")

        async def over() -> bool:
            found = await self.reply.get_attribute("data-status")
            is_drawn = not await drawing.count()
            return found == status and is_drawn and await self.page.is_visible("#send")

        await self.until(over, f"the reply is not {status}", seconds)

    async def until(
        self, claim: Callable[[], Awaitable[object]], message: str, seconds: float = 15.0
    ) -> None:
        await eventually(claim, seconds, message, every_seconds=0.03)

    @property
    def conversation(self) -> str:
        """The id of the open conversation, from the address."""
        return self.page.url.rpartition("/c/")[2]

    async def stored(self, conversation: str = "") -> list[dict[str, Any]]:
        """Every message of the conversation, as the API gives it to this person."""
        path = f"/api/conversations/{conversation or self.conversation}/messages"
        answer = await self.context.request.get(self.server.url + path)
        assert answer.ok, await answer.text()
        messages: list[dict[str, Any]] = (await answer.json())["messages"]
        return messages

    async def stored_reply(self) -> dict[str, Any]:
        """The newest reply, settled or not."""
        return [m for m in await self.stored() if m["role"] == "assistant"][-1]

    async def shows_what_is_stored(self) -> None:
        """Compare the last reply with the API, word by word."""
        stored = await self.stored_reply()
        assert stored["status"] != "running"
        assert (await self.text()).split() == stored["content"].split()

    async def _keep_breaches(self) -> None:
        self.breaches += await self.page.evaluate("window.breaches ?? []")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        unreachable = ("Failed to load resource", "WebSocket connection to")
        if self.may_fail_to_load and any(text in message.text for text in unreachable):
            return
        self.errors.append(f"{message.type}: {message.text} {time.monotonic():.2f}")
