"""Live runs: who reads and how far they are, over all workers, at no cost while nobody looks."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client as SyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import Conversation
from streaming import threads
from streaming.models import Run, Worker
from streaming.reports import ask_for_reports, read_reports
from streaming.subscription import subscribe
from streaming.workers import LocalWorker
from tests.conftest import Client
from tests.conversations.administration.rows import running, staff_with
from tests.conversations.chatting import converse, script, send
from tests.integration.servers import eventually

LIVE = reverse("admin:holdfast_streaming_run_live")


@pytest.mark.django_db
def test_readers_of_a_run_are_summed_over_the_workers(
    boss: SyncClient, conversation: Conversation
) -> None:
    run = running(conversation)
    report = {"runs": {str(run.id): ["waiting", 3.5, 0]}, "readers": {str(run.id): 2}}
    Worker.objects.update(report=report, version="1.2.3")
    Worker.objects.create(id=run.claim, host="beta", pid=5, report={**report, "runs": {}})
    page = " ".join(boss.get(LIVE).content.decode().split())
    assert '<td class="number">4</td> <td>alpha:77</td>' in page
    assert "waiting for the first text" in page
    assert "3 s ago" in page
    assert "1.2.3" in page
    assert "taken over" not in page
    Run.objects.update(tries=2)
    Worker.objects.filter(host="beta").update(alive=False)
    assert "waiting for the first text, taken over 2 times" in boss.get(LIVE).content.decode()
    assert '<td class="number">2</td> <td>alpha:77</td>' in " ".join(
        boss.get(LIVE).content.decode().split()
    )


@pytest.mark.django_db
def test_a_look_writes_only_now_and_then(boss: SyncClient, conversation: Conversation) -> None:
    running(conversation)
    boss.get(LIVE)
    with CaptureQueriesContext(connection) as queries:
        boss.get(LIVE)
    assert not [q for q in queries if q["sql"].startswith(("UPDATE", "INSERT"))]
    assert Worker.objects.filter(watched_until__isnull=False).count() == 1


@pytest.mark.django_db
def test_the_page_needs_its_permission() -> None:
    assert staff_with("view_conversation").get(LIVE).status_code == 403


async def test_a_worker_reports_its_runs_and_readers_while_somebody_looks(
    bob: Client, current_worker: LocalWorker
) -> None:
    """No row is written for a reader, and none at all before somebody looks."""
    conversation = await converse(bob)
    steps = script({"text": "So far"}, {"gate": "never"})
    answer = await send(bob, conversation, steps, model="scripted")
    begun = UUID(answer.json()["run_id"])
    reading = await subscribe(current_worker, begun)

    def report() -> dict[str, Any]:
        return dict(Worker.objects.get(id=current_worker.id).report)

    async def reported() -> bool:
        told = await threads.read(report)
        return bool(told) and told["runs"][str(begun)][2] == len("So far")

    assert await threads.read(report) == {}
    await threads.write(ask_for_reports)
    await eventually(reported, 8, "nothing is reported")
    known = await threads.read(lambda: read_reports(Worker.objects.all()))
    assert known.known and known.runs[begun].characters == 6
    assert known.runs[begun].state == "streaming"
    assert known.readers == {begun: 1}
    reading.close()
