"""The Django app of the chat."""

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    """Conversations, their messages and their people."""

    name = "conversations"
    label = "holdfast_conversations"
    verbose_name = _("Conversations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from conversations import checks, sync  # noqa: F401  registers the system checks
        from conversations.accounts import sessions
        from conversations.attachments.keeping import remove_file_with
        from conversations.models import Attachment, Person
        from conversations.webhooks.outbox import delete_reports_of

        sessions.connect()
        sync.connect()
        post_delete.connect(remove_file_with, sender=Attachment)
        post_delete.connect(delete_reports_of, sender=Person)
