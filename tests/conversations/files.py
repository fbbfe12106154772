"""Files as people attach them."""

from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from conversations.providers.base import BaseProvider
from conversations.providers.types import Model, Prompt
from streaming.source import Finish, Source, Text
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


class SeeingProvider(BaseProvider):
    """Describes the images that it is shown: their types, sizes and first pixels."""

    def models(self) -> Sequence[Model]:
        """List the one model."""
        return [Model(id="eyes", name="Eyes", provider=self.alias, upstream_name="eyes", sees=True)]

    async def stream(self, prompt: Prompt) -> Source:
        """Describe."""
        for message in prompt.messages:
            for url in message.images:
                head, _, data = url.partition(",")
                shown = Image.open(BytesIO(b64decode(data)))
                yield Text(f"{head.removesuffix(';base64')} {shown.width}x{shown.height} ")
        yield Finish("stop")
