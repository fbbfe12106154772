"""What a browser loads before the first word can be said."""

import gzip

import pytest
from playwright.async_api import Browser, Response

from tests.browser.visitor import Visitor
from tests.integration.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT_BYTES = 150 * 1024
OPTIONAL = ("highlight", "katex", "colours", "gather", "poll", "upload")


async def test_the_first_load_is_small(chromium: Browser, server: Server) -> None:
    visitor = await Visitor.arrive(chromium, server)
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer))
    await visitor.reload()
    await visitor.page.wait_for_load_state("networkidle")
    sizes = {
        answer.url.removeprefix(server.url): len(gzip.compress(await answer.body(), 6))
        for answer in answers
        if answer.ok and "/api/" not in answer.url
    }
    await visitor.leave()
    assert any("page.js" in url for url in sizes) and any("marked" in url for url in sizes)
    assert [url for url in sizes if any(name in url for name in OPTIONAL)] == []
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    assert sum(sizes.values()) < LIMIT_BYTES, (sum(sizes.values()), largest)
    assert visitor.complaints() == []
