"""An upgrade under load, from the code before the newest migration: `make check-upgrade`.

Old workers serve behind nginx, the new migrations run, the old workers serve on, and are replaced
one after another. It needs the history of this repository, so it is no part of `make test`.
"""

import argparse
import asyncio
import io
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from tests.integration.client import Client
from tests.integration.databases import PostgreSQL, SQLite
from tests.integration.law import breaches_of_rest
from tests.integration.persistent import Told, talk
from tests.integration.proxy import Nginx
from tests.integration.servers import ROOT, Server, eventually, is_ready, manage

CODE = ("chatproject", "conversations", "streaming", "manage.py")
PEOPLE = 6
DRAIN = {"STREAMING_DRAIN_SECONDS": "10"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.upgrade")
    parser.add_argument("--since", help="a commit; by default that before the newest migration")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load between two steps")
    options = parser.parse_args()
    since = options.since or before_the_newest_migration()
    with tempfile.TemporaryDirectory(prefix="holdfast-upgrade-") as directory:
        home = Path(directory)
        home.chmod(0o755)
        old = home / "old"
        archive = git("archive", since, *CODE)
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(old, filter="data")
        cluster = PostgreSQL(home)
        cluster.start()
        try:
            for kind in (SQLite, PostgreSQL):
                database = f"sqlite:///{home / 'db.sqlite3'}" if kind is SQLite else cluster.empty()
                told, errors = asyncio.run(upgrade(old, database, options.seconds))
                lost = [one for one in told if not one.whole]
                say(
                    f"{kind.__name__}, from {since[:12]}: {len(told)} replies,"
                    f" {len(lost)} not whole, {sum(len(one.refusals) for one in told)} refusals,"
                    f" {len(errors)} errors in the logs, {breaches_of_rest(database)} left"
                )
                if lost or errors or breaches_of_rest(database):
                    say(Counter(one.status for one in lost), *lost[:3], *errors[:3])
                    return 1
        finally:
            cluster.stop()
    return 0


def say(*lines: object) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def before_the_newest_migration() -> str:
    """Name the commit before the last that touched a migration."""
    paths = ["conversations/migrations", "streaming/migrations"]
    newest = git("log", "-1", "--format=%H", "--", *paths).decode().strip()
    return git("rev-parse", f"{newest}^").decode().strip()


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr.decode()}(a shallow clone has no past)")
    return done.stdout


async def upgrade(old: Path, database: str, seconds: float) -> tuple[list[Told], list[str]]:
    """Give what the readers were told, and errors of the workers' logs."""
    first = Server(kind="uvicorn", database=database, root=old, env=DRAIN)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = Server(kind="uvicorn", database=database, root=old, env=DRAIN | shared)
    workers = (first, second)
    nginx = Nginx([worker.port for worker in workers])
    over = asyncio.Event()

    try:
        manage("migrate", "--verbosity", "0", env=first.environment(), root=old)
        await asyncio.gather(*(worker.start() for worker in workers))
        await nginx.start()
        people = [await Client.sign_in(nginx) for _ in range(PEOPLE)]
        talks = [asyncio.create_task(talk(client, over)) for client in people]
        await asyncio.sleep(seconds)
        new = first.environment() | {"PYTHONPATH": str(ROOT)}
        await asyncio.to_thread(manage, "migrate", "--verbosity", "0", env=new)
        await asyncio.sleep(seconds)
        for worker in workers:
            await worker.terminate()
            worker.root = ROOT
            worker.spawn()
            await eventually(lambda worker=worker: is_ready(worker), 60, worker.log)
            await asyncio.sleep(seconds)
        over.set()
        told = [one for talked in await asyncio.gather(*talks) for one in talked]
        return told, [error for worker in workers for error in worker.errors()]
    finally:
        nginx.discard()
        for worker in workers:
            worker.discard()


if __name__ == "__main__":
    sys.exit(main())
