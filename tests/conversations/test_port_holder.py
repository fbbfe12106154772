"""A busy port names its holder."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from conversations.management.port_holder import port_holder

LISTENER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_the_holder_of_a_port_is_named_with_its_command(tmp_path: Path) -> None:
    script = tmp_path / "listener.py"
    script.write_text(LISTENER)
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        holder = port_holder(int(process.stdout.readline()))
        process.communicate()
    assert holder is not None
    assert holder.pid == process.pid
    assert "listener.py" in holder.command


def test_an_ipv6_listener_is_found_too() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        holder = port_holder(server.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()


def test_a_free_port_has_no_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert port_holder(port) is None
