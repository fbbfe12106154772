"""Spans of what takes time here: nothing, until a project installs a tracer.

The tracer is OpenTelemetry's, or what behaves so. Spans carry ids, counts and outcomes, never what
people say.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_tracer: Any = None
_NOTHING: AbstractContextManager[None] = nullcontext()


def install(tracer: Any) -> None:
    """Trace from now on; None ends it."""
    global _tracer
    _tracer = tracer


def span(name: str, *, parent: Any = None, **attributes: Any) -> AbstractContextManager[Any]:
    """Open a span around a block: the child of the one around it here, or of `parent`.

    Args:
        parent: what `here` gave elsewhere.
    """
    return _NOTHING if _tracer is None else _span(name, parent, attributes)


@contextmanager
def _span(name: str, parent: Any, attributes: dict[str, Any]) -> Iterator[Any]:
    said = {f"holdfast.{key}": str(value) for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name,
        context=parent,
        attributes=said,
        # What an exception says may be what a person said.
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        yield opened


def here() -> Any:
    """Return the place in the trace, for a task that inherits no context; None without a tracer."""
    if _tracer is None:
        return None
    from opentelemetry import context

    return context.get_current()


def add(opened: Any, **attributes: Any) -> None:
    """Add to a span what is known only later; nothing where there is none."""
    if opened is not None:
        for key, value in attributes.items():
            opened.set_attribute(f"holdfast.{key}", str(value))
