"""Random readers, random ways to leave, kills and restarts: nobody saw a word that is not stored.

`make prove` plays more scripts and plays one again: see `prove.py`.
"""

from collections.abc import Iterator

import pytest

from tests.integration.databases import PostgreSQL, SQLite
from tests.integration.fleet import Servers
from tests.integration.lanes import SIDE_BY_SIDE, Lane, play_all
from tests.integration.law import breaches_of_reading
from tests.integration.play import TRANSPORTS, Transport
from tests.integration.prove import KINDS, again, tally
from tests.integration.scripts import script

SCRIPTS = 20
HAPPENED = ("ended", "FIN", "RST", "half-close", "stop reading", "kills", "SIGTERMs")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(
    scope="module",
    params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.postgresql)],
)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest, kind: str, database: str) -> Iterator[list[Lane]]:
    databases: SQLite | PostgreSQL = request.getfixturevalue(database.lower())
    found = [Lane(kind, databases.new) for _ in range(SIDE_BY_SIDE)]
    yield found
    for lane in found:
        lane.discard()


@pytest.mark.timeout(300)  # who waits in vain must still be named by a seed
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_each_reader_received_is_a_prefix_of_what_is_stored(
    kind: str, database: str, lanes: list[Lane], transport: Transport
) -> None:
    results = await play_all(lanes, transport, range(1, SCRIPTS + 1))
    cell = {"server": kind, "transport": transport, "database": database}
    failures = [f"{again(cell, r)}\n{r.story()}" for r in results if r.breaches]
    assert not failures, "\n\n".join(failures)
    counted = tally(results)
    vain = [name for name in HAPPENED if not counted[name]]
    assert not vain, f"none of these happened, it proves too little: {vain}"


async def test_an_error_of_ours_is_found_in_the_log(servers: Servers) -> None:
    server = await servers.start()
    client = await servers.client(server)
    conversation = await client.new_conversation()
    mark = server.mark()
    steps = [{"text": "so far "}, {"raise": "planted for the test"}]
    reader = await client.send(conversation, script(*steps))
    ended = await reader.until_ended()
    assert (ended["status"], ended["reason"]) == ("failed", "internal")
    message = await client.settled(conversation, reader.ledger.run_id)
    assert message["content"] == "so far ", "the text before the error is kept"
    assert not breaches_of_reading(message, [reader])
    found = "\n".join(server.errors(mark))
    assert "Traceback" in found, "an exception in a source leaves no traceback in the log"
    assert "planted for the test" in found
