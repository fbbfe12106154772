"""What a project does with runs: start one, follow it, come back to it, stop it.

A start writes the project's own rows and the row of the run in one transaction, and gives the run
its producer in a task that no request owns: a request that is cut off starts all of it or nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol, TypeVar
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError, transaction
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
from streaming.transcript import pieces_of
from streaming.unsure import Unsure, commit, is_ours
from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

T = TypeVar("T")
_REGISTRATION_SECONDS = 5.0
_UNSURE_SECONDS = 5.0
"""For how long whoever started waits to be told whether it was written."""
_RETRY_SECONDS = 0.5


class Begun(Protocol):
    """What the transaction of a start gives back."""

    @property
    def new(self) -> NewRun | None:
        """The run that it opened, if any."""


B = TypeVar("B", bound=Begun)


class _Opened(NamedTuple):
    new: NewRun


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
        opening = partial(_write, write, worker.id, new, owner_key)
        await begin(worker, opening, lambda begun: runner.start(worker, new, source))
    except Exception as error:  # it is the caller's, who may be gone, and no failure of the task
        return error
    return None


def _write(
    write: Callable[[], object] | None, worker_id: UUID, new: NewRun, owner_key: str
) -> _Opened:
    if write is not None:
        write()
    try:
        open_run(worker_id, new, owner_key=owner_key)
    except Fenced:
        raise NotReady from None
    return _Opened(new)


async def begin(worker: LocalWorker, write: Callable[[], B], produce: Callable[[B], object]) -> B:
    """Run the transaction of a start, and give the run that it opened its producer.

    Where the answer to its commit is lost, the database is asked whether the run is there, for as
    long as this process lives: a run that is gets its producer, even if whoever started it
    was told by then that storage is away.

    Args:
        write: synchronous, inside the transaction; calls `open_run`.
        produce: calls `runner.start`.
    Raises:
        what `write` does, but `Unsure`; in its place the error of the database.
    """
    worker_id = worker.id
    opening: list[UUID] = []

    def hold(begun: B) -> None:
        if begun.new is not None:
            worker.opening[begun.new.run_id] = None
            opening.append(begun.new.run_id)

    try:
        begun: B = await threads.write(commit, write, hold)
        if begun.new is not None and worker.id == worker_id:
            # Else it was fenced meanwhile, and the run is another worker's.
            produce(begun)
        return begun
    except Unsure as error:
        opening.clear()
        looking = spawn(_begin_late(worker, worker_id, error.written, produce), name="unsure start")
        worker.expect(looking)
        known, _ = await asyncio.wait([looking], timeout=_UNSURE_SECONDS)
        if not known or not looking.result():
            raise error.cause from None
        return error.written  # type: ignore[no-any-return]
    finally:
        for run_id in opening:
            worker.opening.pop(run_id, None)


async def _begin_late(
    worker: LocalWorker, worker_id: UUID, begun: B, produce: Callable[[B], object]
) -> bool:
    """Produce a run whose row may have been written; False where it was not, or is not ours."""
    new = begun.new
    if new is None:
        return False
    try:
        while worker.id == worker_id and not worker.closing:
            try:
                written = await threads.write(_is_written, worker_id, new)
            except (DatabaseError, InterfaceError):
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if not written:
                break
            if worker.id == worker_id and not worker.closing:
                logger.warning("Run %s was written though nobody said so; it begins", new.run_id)
                produce(begun)
                worker.follower.hand_over(new.run_id)
                return True
        return False
    finally:
        worker.opening.pop(new.run_id, None)


def _is_written(worker_id: UUID, new: NewRun) -> bool:
    with transaction.atomic():
        return is_ours(new.run_id, worker_id, new.claim)


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
    statements.insert((new.run_id, piece) for piece in pieces_of(new.stored))


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
