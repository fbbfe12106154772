"""Runs of this process: start, stop, and the pump that moves a source's text into the journal."""

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec
from django.db import DatabaseError, InterfaceError

from streaming import facts, metrics, pacing, takeover, threads, tracing
from streaming.conf import conf
from streaming.detached import spawn
from streaming.feed import Feed
from streaming.outcome import Outcome, Spent, Usage, completed, failed, interrupted, stopped
from streaming.settlement import End
from streaming.source import Finish, Item, Progress, Reasoning, Source, SourceFailed, Text
from streaming.source import Usage as SourceUsage
from streaming.statements import Fenced
from streaming.transcript import StoredPart, Transcript

if TYPE_CHECKING:
    from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

_COLUMN_BELOW = 2**31  # what a column takes; an upstream may count anything
_RETURN_SECONDS = 10.0  # a reader whose close we planned comes back within this
_CLOSE_SECONDS = 5.0  # how long a source may take to close before its run settles without it


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a start transaction wrote into the run row."""

    run_id: UUID
    claim: UUID
    about: dict[str, Any]
    on_disconnect: Literal["continue", "stop"] = "continue"
    stored: list[StoredPart] = []
    """Parts that the journal holds already: a re-opened reply."""
    spent: Spent = Spent()
    """What its earlier runs took."""
    lasted_seconds: float = 0.0
    """How long it has lasted on other workers, if they were lost; above 0 it is taken over."""


class LiveRun(Feed):
    """A run that this process produces."""

    def __init__(self, worker: "LocalWorker", new: NewRun, *, trace: Any = None) -> None:
        super().__init__(new.run_id, new.about, Transcript(new.stored))
        self.claim = new.claim
        self.on_disconnect = new.on_disconnect
        self.started_at = time.monotonic() - new.lasted_seconds
        """When its first worker began; deadline and durations count from there."""
        if new.lasted_seconds:
            self.state = "recovering"
        self.awaiting_since: float | None = None
        """Since when the pump waits for the source; None while it does anything else."""
        self.departed_at: float | None = time.monotonic()
        """When the last local reader left; None while there is one."""
        self.outcome: Outcome | None = None
        """Decided at once, in memory; written by the settlement."""
        self.usage: Usage | None = None
        self.first_token_ms = new.spent.first_token_ms
        self.released = False
        """Whether other workers go on with it: then nothing is settled here."""
        self._refused = False
        self._has_first_token = bool(new.stored) or self.first_token_ms is not None
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spent = new.spent
        self._worker = worker
        self._pump: asyncio.Task[Outcome] | None = None
        self._decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._limits = conf()
        self._trace = trace

    def attach(self, reader: Any) -> None:
        """Take a local reader."""
        super().attach(reader)
        self.departed_at = None

    def detach(self, reader: Any, *, returns: bool = False) -> None:
        """Let a local reader go."""
        super().detach(reader)
        if not self.readers and self.departed_at is None:
            self.departed_at = time.monotonic() + (_RETURN_SECONDS if returns else 0)

    def wake(self) -> None:
        """Tell every reader to look, here and on other workers; after a commit."""
        super().wake()
        self._worker.waking.has_news(self.run_id)

    def decide(self, outcome: Outcome) -> None:
        """End the run; the first decision stands."""
        if self.outcome is None:
            self.outcome = outcome
            self._decided.set_result(None)
            if self._pump is not None:
                self._pump.cancel()

    def stop(self, reason: str) -> None:
        """End the run as a person's wish; the text that no commit was tried for goes."""
        if self.outcome is None:
            self.transcript.drop_unfrozen()
            self.decide(stopped(reason))

    def refuse_text(self) -> None:
        """End the run because storage does not take its text."""
        self.transcript.drop_pending()
        self._refused = True
        self.decide(failed("internal"))

    def abandon(self) -> None:
        """Stop spending: another worker owns the run now."""
        self.transcript.drop_pending()
        self.decide(interrupted("worker_lost"))
        self.lose()

    def release(self) -> None:
        """Stop producing in favour of other workers; where it cannot go on there, settle it."""
        if self.outcome is None:
            self.released = True
            self.decide(interrupted("shutdown"))

    async def live(self, source: Source) -> None:
        """Produce the reply, then settle it."""
        facts.begin(run_id=self.run_id)
        with tracing.span("run", parent=self._trace, run_id=self.run_id) as opened:
            await self._live(source)
            if self.ended is not None:
                tracing.add(opened, outcome=self.ended.status, reason=self.ended.reason)

    async def _live(self, source: Source) -> None:
        outcome = await self._produce(source)
        journal = self._worker.journal
        await journal.release(self)
        if self._refused and outcome.status == "completed":
            outcome = self._measured(failed("internal"))  # its last text is not there
        try:
            if not self.lost and not (self.released and await self._give_away()):
                await self._settle(outcome)
        except Fenced:
            pass  # its readers find it where it is now
        finally:
            if self._worker.runs.get(self.run_id) is self:
                # A reply that was re-opened this instant has another run under its id.
                del self._worker.runs[self.run_id]
            if self.ended is None:
                self.lose()
            self.settled.set_result(None)

    async def _produce(self, source: Source) -> Outcome:
        self._pump = asyncio.create_task(self._read_traced(source), name=f"pump {self.run_id}")
        if self.outcome is not None:
            self._pump.cancel()
        both: list[asyncio.Future[Any]] = [self._pump, self._decided]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not self._pump.done():
            await asyncio.wait([self._pump], timeout=_CLOSE_SECONDS)
        if self.outcome is None:
            self.outcome = self._pump_outcome()
        elif self._pump.done() and not self._pump.cancelled():
            self._pump.exception()
        return self._measured(self.outcome)

    def _pump_outcome(self) -> Outcome:
        pump = self._pump
        if pump is None or pump.cancelled():
            return interrupted("shutdown")
        error = pump.exception()
        if error is None:
            return pump.result()
        if isinstance(error, SourceFailed):
            logger.warning("Run %s: source failed: %s", self.run_id, error)
            if self._worker.journal.failing_since is not None:
                return failed("storage_unavailable")
            return failed(error.reason, retryable=error.retryable)
        logger.error("Run %s: source raised", self.run_id, exc_info=error)
        return failed("internal")

    async def _read_traced(self, source: Source) -> Outcome:
        pacing.begin(self._worker.journal.pace)
        with tracing.span("upstream"):
            return await self._read(source)

    async def _read(self, source: Source) -> Outcome:
        transcript, journal = self.transcript, self._worker.journal
        try:
            async with aclosing(source) as items:
                self.awaiting_since = time.monotonic()
                async for item in items:
                    self.progressed_at = self.awaiting_since = time.monotonic()
                    if self.outcome is not None:
                        return self.outcome  # a source that outlives its cancellation adds nothing
                    if isinstance(item, Text):
                        outcome = self._add("text", item.text)
                    else:
                        outcome = self._take(item)
                    if outcome is not None:
                        transcript.flush()
                        return outcome
                    if transcript.pending_characters:
                        journal.note(self)
                        if transcript.pending_characters >= self._limits.pending_characters:
                            self.awaiting_since = None
                            await journal.room(self)
                            self.awaiting_since = time.monotonic()
        finally:
            self.awaiting_since = None
        raise SourceFailed("upstream_incomplete")

    def _take(self, item: Item) -> Outcome | None:
        match item:
            case Reasoning(text):
                return self._add("reasoning", text)
            case SourceUsage(given, said):
                if 0 <= given < _COLUMN_BELOW and 0 <= said < _COLUMN_BELOW:
                    self.usage = Usage(given, said)
            case Progress():
                pass
            case Finish(reason):
                return completed(reason)
        return None

    def _add(self, kind: str, text: str) -> Outcome | None:
        if self.state != "streaming" and text:
            self.state = "streaming"
            if not self._has_first_token:
                self._has_first_token = True
                waited_ms = round((self.progressed_at - self.started_at) * 1000)
                metrics.first_token_seconds.observe(self.progressed_at - self.started_at)
                self.first_token_ms = self._spent.duration_ms + waited_ms
        limit = self._limits.reply_characters
        if not limit or self.transcript.characters + len(text) <= limit:
            self.transcript.append(kind, text)
            return None
        self.transcript.append(kind, text[: max(limit - self.transcript.characters, 0)])
        return completed("length")

    def _measured(self, outcome: Outcome) -> Outcome:
        lasted_ms = round((time.monotonic() - self.started_at) * 1000)
        return msgspec.structs.replace(
            outcome,
            usage=_sum(self._spent.usage, self.usage),
            first_token_ms=self.first_token_ms,
            duration_ms=min(self._spent.duration_ms + lasted_ms, _COLUMN_BELOW - 1),
        )

    async def _give_away(self) -> bool:
        try:
            return await threads.write(takeover.release, self.run_id, self.claim)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Run %s was not released: %s", self.run_id, type(error).__name__)
            return False

    async def _settle(self, outcome: Outcome) -> None:
        self.transcript.flush()
        pending = [] if outcome.status == "stopped" else self.transcript.freeze()
        end = End(self._worker.id, self.run_id, self.claim, outcome, pending)
        with tracing.span("settle"):
            settled = await self._worker.settlements.submit(end)
        self.transcript = Transcript(settled.parts)
        metrics.count_end(settled.ended.status, settled.ended.reason)
        metrics.count_tokens(self.usage)
        metrics.run_seconds.observe(time.monotonic() - self.started_at)
        self.end(settled.ended)


def _sum(before: Usage | None, now: Usage | None) -> Usage | None:
    """Add up what is known of the tokens of two runs."""
    if before is None or now is None:
        return before or now
    most = _COLUMN_BELOW - 1
    return Usage(
        min(before.input_tokens + now.input_tokens, most),
        min(before.output_tokens + now.output_tokens, most),
    )


def start(worker: "LocalWorker", new: NewRun, source: Source, *, trace: Any = None) -> LiveRun:
    """Produce a run whose row was just committed, in a task that nobody's request owns.

    Args:
        trace: the place in a trace that it belongs to, see `tracing.here`.
    """
    run = LiveRun(worker, new, trace=trace)
    worker.runs[run.run_id] = run
    metrics.runs_started.inc()
    spawn(run.live(source), name=f"run {run.run_id}")
    return run


def stop(worker: "LocalWorker", run_id: UUID, *, reason: str = "user") -> bool:
    """End a run as a person's wish; where it is not here, have its worker look at once.

    Returns:
        Whether it is here.
    """
    run = worker.runs.get(run_id)
    if run is None:
        worker.waking.stop(run_id)
        return False
    run.stop(reason)
    return True
