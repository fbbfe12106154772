"""What a model is asked: from a question back through its branch, as far as there is room."""

from functools import partial

from conversations import prompting
from conversations.attachments import keeping
from conversations.attachments.reading import Unread
from conversations.branches import branch_to
from conversations.models import Conversation, Message
from conversations.providers.types import Model, Prompt
from conversations.tokens import estimate_tokens, most_characters

_BATCH = 32


def branch(last: Message, model: Model) -> list[Message]:
    """Return the messages up to this one for which the model may have room.

    A long conversation is not read as a whole: this is the thread that commits everybody's text.
    What the system says is in it, wherever it stands.
    """
    if last.parent_id is None:
        return [last]
    rows = list(last.conversation.messages.values_list("id", "parent_id", "role"))
    ids = branch_to(last.id, {one: parent for one, parent, _role in rows})
    system = {one for one, _parent, role in rows if role == Message.Role.SYSTEM}
    found = Message.objects.in_bulk([one for one in ids if one in system])
    room = most_characters(model.context_tokens)
    for newest in range(len(ids), 0, -_BATCH):
        batch = Message.objects.in_bulk(ids[max(newest - _BATCH, 0) : newest])
        found |= batch
        room -= sum(len(message.content) for message in batch.values())
        if room < 0:
            break
    return [found[one] for one in ids if one in found]


def prompt(
    conversation: Conversation,
    model: Model,
    branch: list[Message],
    *,
    continued: str | None,
    max_output_tokens: int | None = None,
) -> Prompt | Unread:
    """Write what the model is asked.

    Args:
        continued: text of the reply to go on from.
        max_output_tokens: in place of the conversation's own limit, where a part is used up.
    Returns:
        `Unread` where files belong to it: they are read outside of the transaction.
    """
    chosen = conversation.settings
    build = partial(
        prompting.build,
        [(message.role, message.content) for message in branch],
        model=model,
        system_prompt=conversation.system_prompt or model.system_prompt,
        continued=continued,
        temperature=chosen.get("temperature"),
        max_output_tokens=max_output_tokens or chosen.get("max_output_tokens"),
    )
    files = keeping.enclosed_in(branch)
    places = {
        place: files[message.id] for place, message in enumerate(branch) if message.id in files
    }
    if not places:
        return build()
    return Unread(places, model.sees, most_characters(model.context_tokens), build)


def estimate(branch: list[Message], prompt: Prompt | Unread) -> int:
    """Say how many tokens are asked, for where the upstream does not; files are not counted."""
    if isinstance(prompt, Unread):
        texts = [message.content for message in branch]
    else:
        texts = [message.content for message in prompt.messages]
    asked = sum(prompting.MESSAGE_TOKENS + estimate_tokens(text) for text in texts)
    return min(asked, 2**31 - 1)
