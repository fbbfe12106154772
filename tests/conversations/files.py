"""Files as people attach them."""

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from tests.conftest import Client


def image(kind: str = "PNG", size: tuple[int, int] = (4, 3), **options: Any) -> bytes:
    """Draw a plain image."""
    written = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind, **options)
    return written.getvalue()


async def upload(client: Client, name: str, content: bytes, **headers: str) -> Any:
    """Upload one file; returns the response."""
    form = {"file": SimpleUploadedFile(name, content)}
    return await client.post("/api/attachments", form, headers=headers)


async def attached(client: Client, name: str = "notes.md", content: bytes = b"# Notes\n") -> Any:
    """Upload one file; returns the attachment."""
    response = await upload(client, name, content)
    assert response.status_code == 201, response.content
    return response.json()
