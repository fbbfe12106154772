"""Who listens on a TCP port of this machine; read from /proc, or from lsof where there is none."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHolder:
    """The process that listens on a port."""

    pid: int
    command: str


def port_holder(port: int) -> PortHolder | None:
    """Name the process that listens on `port`, or None where we may not see it."""
    if Path("/proc/net/tcp").exists():
        return _from_proc(_listening_inodes(port))
    return _from_lsof(port)


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == LISTEN and int(local.rpartition(":")[2], 16) == port:
                inodes.add(inode)
    return inodes


def _from_proc(inodes: set[str]) -> PortHolder | None:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in wanted for fd in (process / "fd").iterdir()):
                arguments = (process / "cmdline").read_bytes().rstrip(b"\0")
                command = arguments.replace(b"\0", b" ").decode(errors="replace")
                return PortHolder(pid=int(process.name), command=command)
        except OSError:
            continue  # it has ended meanwhile, or belongs to somebody else
    return None


def _from_lsof(port: int) -> PortHolder | None:
    query = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    fields = {line[0]: line[1:] for line in reversed(output.splitlines()) if line}
    if "p" not in fields:
        return None
    return PortHolder(pid=int(fields["p"]), command=fields.get("c", ""))
