"""A private Redis on a free loopback port, which keeps nothing."""

import shutil
import socket
import subprocess
import time

_START_SECONDS = 10.0


class RedisServer:
    """One server process; `start` after `stop` or `kill` listens on the same port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: apt-get install redis-server"
        self._process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd="/tmp",
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, as at a restart; harmless when repeated."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def ask(self, *words: str) -> str:
        """Give the first line of its answer to a command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            lines = [f"*{len(words)}"]
            for word in words:
                lines += [f"${len(word.encode())}", word]
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            with connection.makefile("rb") as answer:
                first = answer.readline().decode().strip()
                if first.startswith("$") and first != "$-1":
                    return answer.read(int(first[1:])).decode()
                return first

    def clients(self) -> int:
        """How many connections others have to it."""
        lines = self.ask("CLIENT", "LIST", "TYPE", "normal").splitlines()
        return len(lines) - 1 + len(self.ask("CLIENT", "LIST", "TYPE", "pubsub").splitlines())

    def _answers(self) -> bool:
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False
