"""What a project does with runs: start one, follow it, come back to it, stop it.

A start writes the project's own rows and the row of the run in one transaction, and gives the run
its producer in a task that no request owns: a request that is cut off starts all of it or nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from streaming import runner, statements, threads, workers
from streaming.conf import conf
from streaming.cursor import START, Cursor
from streaming.detached import spawn
from streaming.handler import give_back
from streaming.models import Run
from streaming.runner import NewRun
from streaming.source import Source
from streaming.sse import parse_last_id
from streaming.statements import Fenced
from streaming.subscription import Subscription, subscribe
from streaming.transcript import Piece
from streaming.workers import LocalWorker

T = TypeVar("T")
_REGISTRATION_SECONDS = 5.0


class NotReady(Exception):
    """This process takes no start now; the same one may succeed in a moment, here or elsewhere."""


async def start(
    source: Source,
    *,
    run_id: UUID,
    write: Callable[[], object] | None = None,
    owner_key: str = "",
    about: dict[str, Any] | None = None,
    on_disconnect: Literal["continue", "stop"] | None = None,
) -> None:
    """Start a run.

    Args:
        run_id: the id of the reply that the recorder will be asked to save.
        write: writes the reply's row and what belongs to it, synchronously, inside the start's
            transaction; what it raises is raised here, and nothing was started.
        owner_key: whose run it is, for a project that counts them in `Run.owner_key`.
        about: what readers are told in `started`.
        on_disconnect: None means `STREAMING["ON_DISCONNECT"]`.
    Raises:
        NotReady: nothing was started.
    Cancellation:
        the start goes on.
    """
    new = NewRun(
        run_id=run_id,
        claim=uuid4(),
        about=about or {},
        on_disconnect=on_disconnect or conf().on_disconnect,
    )
    refusal = await hold(_start(source, new, write, owner_key))
    if refusal is not None:
        raise refusal


async def hold(start: Coroutine[Any, Any, T]) -> T:
    """Await a start in a task that no request owns, and that a drain waits for.

    What it raises should be for the log: whoever asked may be gone.
    """
    task = spawn(start, name="start")
    workers.current().expect(task)
    await give_back()
    return await asyncio.shield(task)


async def _start(
    source: Source, new: NewRun, write: Callable[[], object] | None, owner_key: str
) -> Exception | None:
    try:
        worker = await ready()
        if worker.draining:
            raise NotReady
        worker_id = worker.id
        await threads.write(_write, write, worker_id, new, owner_key)
    except Exception as error:  # it is the caller's, who may be gone, and no failure of the task
        return error
    if worker.id == worker_id:  # else it was fenced meanwhile, and the run is another worker's
        runner.start(worker, new, source)
    return None


def _write(
    write: Callable[[], object] | None, worker_id: UUID, new: NewRun, owner_key: str
) -> None:
    with transaction.atomic():
        if write is not None:
            write()
        try:
            open_run(worker_id, new, owner_key=owner_key)
        except Fenced:
            raise NotReady from None


async def ready() -> LocalWorker:
    """Return this process's worker once it may produce.

    Raises:
        NotReady: it is not registered, so storage is away.
    """
    worker = workers.current()
    try:
        async with asyncio.timeout(_REGISTRATION_SECONDS):
            await worker.registered.wait()
    except TimeoutError:
        raise NotReady from None
    return worker


def open_run(worker_id: UUID, new: NewRun, *, owner_key: str) -> None:
    """Write the row of a run, and the text that its journal is to begin with.

    Synchronous, inside the caller's transaction; once that is committed, `runner.start` follows.

    Raises:
        Fenced: the worker may not produce.
    """
    statements.lock_worker(worker_id)
    Run.objects.create(
        id=new.run_id,
        worker_id=worker_id,
        claim=new.claim,
        owner_key=owner_key,
        about=new.about,
        on_disconnect=new.on_disconnect,
        started_at=Now(),  # reconciliation compares it with the database's clock
    )
    pieces = [Piece(number, part.kind, 0, part.text) for number, part in enumerate(new.stored, 1)]
    statements.insert((new.run_id, piece) for piece in pieces if piece.text)


async def follow(run_id: UUID, after: Cursor = START) -> Subscription:
    """Subscribe to a run: produced here, produced elsewhere, or settled long ago.

    Raises:
        NoSuchRun: there is neither a run nor a reply.
        BadCursor: the cursor lies beyond the end.
    """
    return await subscribe(workers.current(), run_id, after)


async def resume(request: HttpRequest, run_id: UUID) -> Subscription | None:
    """Subscribe from where a reader is: `Last-Event-ID`, else `?after=`, else the start.

    Returns:
        None where the reader has seen the end: 204, which also stops an EventSource.
    Raises:
        NoSuchRun, BadCursor: as `follow`; also for a cursor that is none.
    """
    given = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    after, saw_end = parse_last_id(given)
    await give_back()
    subscription = await follow(run_id, after)
    ended = subscription.ended
    if saw_end and ended is not None and ended.cursor == after:
        subscription.close()
        return None
    return subscription


async def stop(run_id: UUID) -> None:
    """End a run as a person's wish, on whichever process it is produced; what is stored stays."""
    await threads.write(note_stop, run_id)
    runner.stop(workers.current(), run_id)


def note_stop(run_id: UUID) -> None:
    """Record the wish that a run ends; nothing where it is settled."""
    Run.objects.filter(id=run_id, stop_requested_at__isnull=True).update(stop_requested_at=Now())
