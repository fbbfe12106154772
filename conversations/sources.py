"""From what a model is asked to the source of a reply; whatever fails here fails the run."""

from contextlib import aclosing

from asgiref.sync import sync_to_async

from conversations.attachments.reading import Unread
from conversations.joining import joined, rethought
from conversations.providers import providers
from conversations.providers.types import Prompt
from streaming.source import Source, SourceFailed


def ask(provider: str, prompt: Prompt | Unread, *, said: str = "", thought: str = "") -> Source:
    """Make a source; what a provider raises here is the run's failure, too.

    Args:
        provider: its alias.
        said: text that the model may repeat before it goes on from it.
        thought: reasoning that the reply ends with, where that was cut off: the model thinks anew.
    """
    if isinstance(prompt, Unread):
        return _reading(provider, prompt, said, thought)
    try:
        source = providers[provider].stream(prompt)
    except KeyError:
        return _failing(SourceFailed("upstream_refused", detail="no such provider"))
    except Exception as error:  # any provider's; the run has begun and must end
        return _failing(error)
    if said:
        source = joined(source, said)
    return rethought(source, thought) if thought else source


async def _reading(provider: str, unread: Unread, said: str, thought: str) -> Source:
    """Read the files first, in a thread."""
    prompt = await sync_to_async(unread.read, thread_sensitive=False)()
    async with aclosing(ask(provider, prompt, said=said, thought=thought)) as items:
        async for item in items:
            yield item


async def _failing(error: Exception) -> Source:
    raise error
    yield
