"""The page shell: what it loads, and that looking leaves no trace."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import AsyncClient
from pytest_django import Settings

STATIC = Path(__file__).parents[2] / "conversations" / "static"
HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")


def import_map(html: str) -> dict[str, str]:
    found = re.search(r'<script type="importmap"[^>]*>(.*?)</script>', html, re.S)
    assert found
    imports: dict[str, str] = json.loads(found[1])["imports"]
    return imports


@pytest.mark.parametrize("path", ["/", "/c/00000000-0000-4000-8000-000000000000"])
async def test_the_page_needs_no_database(path: str, async_client: AsyncClient) -> None:
    # No database mark: a query would fail the test.
    response = await async_client.get(path)
    assert response.status_code == 200
    assert "sessionid" not in response.cookies
    assert "csrftoken" in response.cookies


async def test_the_import_map_carries_the_nonce_of_the_policy(async_client: AsyncClient) -> None:
    response = await async_client.get("/")
    nonce = re.search(r'type="importmap" nonce="([^"]+)"', response.content.decode())
    assert nonce
    assert f"'nonce-{nonce[1]}'" in response["Content-Security-Policy"]
    assert " style=" not in response.content.decode()


async def test_every_module_is_in_the_import_map(async_client: AsyncClient) -> None:
    html = (await async_client.get("/")).content.decode()
    files = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")]
    staff = ("conversations/admin/", "conversations/console/")  # their pages have maps of their own
    names = {f"/static/{file}" for file in files if not file.startswith(staff)}
    assert set(import_map(html)) == names


async def test_hashed_modules_resolve(
    async_client: AsyncClient, settings: Settings, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    settings.DEBUG = False
    call_command("collectstatic", interactive=False, verbosity=0)
    html = (await async_client.get("/")).content.decode()
    imports = import_map(html)
    assert imports
    for plain, hashed in imports.items():
        assert HASHED.search(hashed), plain
        assert (tmp_path / hashed.removeprefix("/static/")).exists()
