"""The administration: conversations to read, people, and what is in flight.

Everything here is synchronous; runs are ended by what is written, and their workers see it.
"""

from conversations.admin.conversations import ConversationAdmin
from conversations.admin.feedback import RatedReplyAdmin
from conversations.admin.keys import ApiKeyAdmin
from conversations.admin.messages import MessageAdmin
from conversations.admin.offering import AnnouncementAdmin, OfferedModelAdmin
from conversations.admin.people import ChatUserAdmin, GuestAdmin
from conversations.admin.runs import RunAdmin, WorkerAdmin
from conversations.admin.webhooks import DeliveryAdmin, WebhookAdmin

__all__ = [
    "AnnouncementAdmin",
    "ApiKeyAdmin",
    "ChatUserAdmin",
    "DeliveryAdmin",
    "ConversationAdmin",
    "GuestAdmin",
    "MessageAdmin",
    "OfferedModelAdmin",
    "RatedReplyAdmin",
    "RunAdmin",
    "WorkerAdmin",
    "WebhookAdmin",
]
