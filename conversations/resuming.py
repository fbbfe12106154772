"""How a reply goes on whose worker was lost: from its stored text, where its model can do that."""

from functools import partial
from uuid import UUID

from conversations import asking, offering, sources
from conversations.limits import spending
from conversations.models import Message
from conversations.outcomes import spent_on
from conversations.tokens import estimate_tokens
from streaming.outcome import Usage
from streaming.recorder import Resumption
from streaming.source import Finish, Source
from streaming.transcript import StoredPart, text_of


def resume(run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
    """Ask the model for what follows, as when a person continues a reply.

    No limit of the person is asked again. What the lost worker took is entered as spent by its
    owner, by an estimate: nobody knows how much its upstream counted.

    Returns:
        None where the model cannot go on from its own words, or is not on offer any more.
    """
    reply = (
        Message.objects.running().select_related("conversation", "parent").filter(id=run_id).first()
    )
    model = offering.catalogue().models.get(reply.model) if reply is not None else None
    if reply is None or reply.parent is None or model is None or not model.continues:
        return None
    everything = "".join(part.text for part in parts)
    counted = reply.counted_characters
    known = len(reply.content) if counted is None else counted
    lost = Usage(reply.asked_tokens or 0, estimate_tokens(everything[known:]))
    spending.add_lost(reply.conversation.owner_id, lost)
    limit = reply.conversation.settings.get("max_output_tokens")
    left = limit and limit - estimate_tokens(everything[len(reply.content) :])
    branch = asking.branch(reply.parent, model)
    prompt = asking.prompt(
        reply.conversation, model, branch, continued=text_of(parts), max_output_tokens=left
    )
    Message.objects.filter(id=run_id).update(
        asked_tokens=asking.estimate(branch, prompt), counted_characters=len(everything)
    )
    if left is not None and left <= 0:
        return Resumption(_over, spent_on(reply))
    thought = parts[-1].text if parts and parts[-1].kind == "reasoning" else ""
    source = partial(sources.ask, model.provider, prompt, thought=thought)
    return Resumption(source, spent_on(reply))


async def _over() -> Source:
    """End a reply that has used up its tokens."""
    yield Finish("length")
