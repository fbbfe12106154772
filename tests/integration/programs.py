"""Programs: accounts that people made, with API keys."""

import re
from uuid import uuid4

import httpx

from tests.integration.servers import Server


async def key_for_a_new_account(server: Server, *scopes: str) -> str:
    """Sign up as a person does, and make a key on the page for it."""
    async with httpx.AsyncClient(base_url=server.url, follow_redirects=True, timeout=30) as browser:
        await browser.get("/account/sign-up")
        name = f"dora-{uuid4().hex[:8]}"
        form = {
            "username": name,
            "email": f"{name}@harbour.example",
            "password": "a-rope-and-an-anchor",
        }
        await browser.post("/account/sign-up", data={**form, **token(browser)})
        form = {"name": "a program", "scopes": list(scopes or ("read", "chat")), **token(browser)}
        page = (await browser.post("/account/keys", data=form)).text
    found = re.search(r"hf_[\w-]{43}", page)
    assert found, page
    return found[0]


def token(browser: httpx.AsyncClient) -> dict[str, str]:
    return {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
