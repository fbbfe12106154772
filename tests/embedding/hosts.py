"""Projects of somebody else's: copies of their files, with our apps beside them, no more."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from tests.integration.client import Client, Reader
from tests.integration.servers import ROOT, Server, answers, eventually

HOSTS = Path(__file__).parent
EMAIL, PASSWORD = "keeper@shop.example", "a-key-under-the-mat"

CONTENT = """
call_command("check", databases=["default"], fail_level="WARNING")
call_command("makemigrations", check_changes=True, dry_run=True)
"""


class Host:
    """A project in a directory of its own, with a database of its own."""

    def __init__(self, name: str, directory: Path, *apps: str) -> None:
        self.name = name
        self.root = directory / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HOSTS / name, self.root, ignore=ignored)
        for app in apps:
            (self.root / app).symlink_to(ROOT / app)
        self.servers: list[Server] = []
        self.cookies: dict[str, str] = {}
        """Of whoever has signed in."""
        self.env = {"DJANGO_SETTINGS_MODULE": f"{name}.settings"}

    def server(self, kind: str = "uvicorn", **env: str) -> Server:
        """Make a server of this project."""
        server = Server(
            kind=kind,
            database="",
            env=self.env | env,
            root=self.root,
            application=f"{self.name}.asgi:application",
        )
        self.servers.append(server)
        return server

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the project's directory."""
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.root,
            env=self.server(**env).environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def shell(self, code: str, **env: str) -> str:
        """Run Python with the project set up, and give what it printed."""
        setup = "import django; django.setup()\nfrom django.core.management import call_command\n"
        done = self.run("-c", setup + code, **env)
        assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    async def serving(self, kind: str = "uvicorn", **env: str) -> Server:
        """Give the server of this kind; the first call starts it, the end of the tests ends it."""
        found = [one for one in self.servers if one.kind == kind and one.process is not None]
        server = found[0] if found else self.server(kind, **env)
        if not server.alive:
            server.spawn()

        async def is_up() -> bool:
            assert server.alive, server.log()[-4000:]
            return await answers(server.port, "/")

        await eventually(is_up, 40, lambda: server.log()[-4000:])
        return server

    def close(self) -> None:
        """End every server, and hold it to having had no error."""
        errors: list[str] = []
        for server in self.servers:
            if server.alive:
                server.term()
        for server in self.servers:
            if server.process is not None:
                server.process.wait(30)
            errors += server.errors()
            server.discard()
        assert errors == []


class Visitor(Client):
    """A browser at a project whose addresses are its own."""

    csrf_cookie = "csrftoken"

    async def sign_in_at(self, path: str, **form: str) -> None:
        """Fill in the project's form."""
        await self.get(path)
        assert (await self.post_form(path, **form)) == 302
        assert "sessionid" in self.cookies, "nobody was signed in"

    async def post_form(self, path: str, **form: str) -> int:
        answer = await self.request("POST", path, _form(form), headers=self._form_headers())
        return answer.status

    async def stream_of_form(self, path: str, **form: str) -> Reader:
        """Post a form that a stream answers."""
        headers = self._form_headers() | {"Accept": "text/event-stream"}
        connection = await self._ask("POST", path, _form(form), headers)
        run_id = connection.headers.get("location", "//").split("/")[-2]
        return await self._reader(connection, run_id, "0-0")

    async def stream(self, path: str, run_id: str, body: object = None, after: str = "") -> Reader:
        """Ask for a stream: with a body it is posted."""
        headers = {"Accept": "text/event-stream", **self.token}
        if after:
            headers["Last-Event-ID"] = after
        method = "GET" if body is None else "POST"
        connection = await self._ask(method, path, body, headers)
        return await self._reader(connection, run_id, after or "0-0")

    @property
    def token(self) -> dict[str, str]:
        return {"X-CSRFToken": self.cookies.get(self.csrf_cookie, "")}

    def _form_headers(self) -> dict[str, str]:
        return {"Content-Type": "application/x-www-form-urlencoded", **self.token}


def _form(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


class ModelServer:
    """The upstream of the shop: it says words, and waits before the last of them."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.may_finish = asyncio.Event()

    async def start(self, port: int) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", port)

    async def close(self) -> None:
        self.may_finish.set()
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split("\r\n")[0])
            self.asked.append(json.loads(await reader.readexactly(length)))
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for word in WORDS[:-1]:
                writer.write(_line(word))
                await writer.drain()
            await self.may_finish.wait()
            writer.write(_line(WORDS[-1]))
            await writer.drain()
        finally:
            writer.close()


WORDS = [f"word{number} " for number in range(200)] + ["and out."]
REPLY = "".join(WORDS)


def _line(word: str) -> bytes:
    return json.dumps({"word": word}).encode() + b"\n"
