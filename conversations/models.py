"""Conversations as trees of messages, and the people who own them."""

from collections.abc import Iterable
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from uuid6 import uuid7

from conversations.operating import Announcement as Announcement
from conversations.operating import OfferedModel as OfferedModel
from conversations.operating import Revision as Revision
from streaming.cursor import Cursor
from streaming.transcript import StoredPart, end_of, text_of


def new_id() -> UUID:
    """Return a UUID that sorts by time (version 7, RFC 9562)."""
    return UUID(int=uuid7().int)


class Person(models.Model):
    """What the chat knows of a user: a revision that every change to their lists raises."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="holdfast_person",
    )
    revision = models.PositiveBigIntegerField(default=0)
    starts = models.JSONField(default=list, editable=False)
    """When they last started replies, in seconds since 1970; what they delete stays counted."""

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return f"person {self.pk}"


class Guest(models.Model):
    """Marks a user who came without signing up; bound to one session, without a password."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="holdfast_guest",
        verbose_name=_("user"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("guest")
        verbose_name_plural = _("guests")

    def __str__(self) -> str:
        return f"guest {self.pk}"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Verbs of conversations."""

    def of(self, user_id: Any) -> Self:
        """What belongs to this user."""
        return self.filter(owner_id=user_id)


class Conversation(models.Model):
    """A tree of messages with one owner."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="holdfast_conversations",
        verbose_name=_("owner"),
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True)
    system_prompt = models.TextField(_("system prompt"), blank=True)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    pinned = models.BooleanField(_("pinned"), default=False)
    archived = models.BooleanField(_("archived"), default=False)
    head = models.ForeignKey(
        "Message", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"))
    touched_at = models.DateTimeField(null=True, editable=False)
    """When it was imported or changed otherwise than by what is said, which lists do not show."""

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-updated_at", "-id"]
        permissions = [("read_messages", "Can read what people write and are answered")]
        indexes = [
            models.Index(name="holdfast_conversation_list", fields=["owner", "-updated_at", "-id"]),
            models.Index(name="holdfast_conversation_by_date", fields=["-updated_at", "-id"]),
        ]

    def __str__(self) -> str:
        # No title: staff may see the name of a row without being allowed to read what is in it.
        return str(self.id)

    def get_absolute_url(self) -> str:
        """Return the page of the conversation."""
        return reverse("holdfast:conversation", args=[self.id])


class MessageQuerySet(models.QuerySet["Message"]):
    """Verbs of messages."""

    def of(self, user_id: Any) -> Self:
        """What belongs to this user."""
        return self.filter(conversation__owner_id=user_id)

    def running(self) -> Self:
        """Replies that are in flight."""
        return self.filter(status=Message.Status.RUNNING)


class Message(models.Model):
    """One row: system, user or assistant. An assistant message is a reply, finished or not."""

    class Role(models.TextChoices):
        """Who speaks."""

        SYSTEM = "system", _("system")
        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")

    class Status(models.TextChoices):
        """How far it is; questions are completed."""

        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        STOPPED = "stopped", _("stopped")
        INTERRUPTED = "interrupted", _("interrupted")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )
    role = models.CharField(max_length=10, choices=Role)
    parts = models.JSONField(default=list)
    content = models.TextField(blank=True)
    """The text parts, joined: what people read and search."""
    status = models.CharField(max_length=12, choices=Status, default=Status.COMPLETED)
    reason = models.CharField(max_length=40, blank=True)
    retryable = models.BooleanField(default=False)
    model = models.CharField(max_length=200, blank=True)
    provider = models.CharField(max_length=60, blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    first_token_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    rating = models.SmallIntegerField(default=0)
    """What its reader thinks of a reply: 1, -1, or 0 for nothing."""
    comment = models.TextField(blank=True)
    claim = models.UUIDField(null=True, editable=False)
    request_digest = models.CharField(max_length=64, blank=True, editable=False)
    asked_tokens = models.PositiveIntegerField(null=True, editable=False)
    """What the prompt of its last run was estimated to be."""
    counted_characters = models.PositiveIntegerField(null=True, editable=False)
    """How much of its text is in its owner's spending, where workers that wrote it were lost."""

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="holdfast_message_role", condition=Q(role__in=["system", "user", "assistant"])
            ),
            models.CheckConstraint(
                name="holdfast_message_status",
                condition=Q(
                    status__in=["running", "completed", "stopped", "interrupted", "failed"]
                ),
            ),
            models.CheckConstraint(
                name="holdfast_message_rating", condition=Q(rating__in=[-1, 0, 1])
            ),
            models.CheckConstraint(
                name="holdfast_message_settled_once",
                condition=Q(status="running", role="assistant", settled_at__isnull=True)
                | (~Q(status="running") & Q(settled_at__isnull=False)),
            ),
            models.UniqueConstraint(
                name="holdfast_message_one_in_flight",
                fields=["conversation"],
                condition=Q(status="running"),
            ),
            models.CheckConstraint(
                name="holdfast_message_not_own_parent", condition=~Q(parent_id=F("id"))
            ),
        ]
        indexes = [
            models.Index(name="holdfast_message_tree", fields=["conversation", "created_at", "id"]),
            models.Index(name="holdfast_message_by_date", fields=["created_at"]),
            models.Index(
                name="holdfast_message_by_outcome",
                fields=["role", "status", "conversation", "reason"],
            ),
            models.Index(name="holdfast_message_by_provider", fields=["provider", "conversation"]),
            models.Index(name="holdfast_message_by_model", fields=["model", "conversation"]),
            # All that the statistics ask of a day, and the lists of people of a conversation.
            models.Index(
                name="holdfast_message_statistics",
                fields=[
                    "role",  # it is always the same: SQLite prefers the index by outcome else
                    "created_at",
                    "status",
                    "reason",
                    "model",
                    "input_tokens",
                    "output_tokens",
                    "first_token_ms",
                ],
                condition=Q(role="assistant"),
            ),
            models.Index(
                name="holdfast_message_usage",
                fields=["role", "conversation", "model", "input_tokens", "output_tokens"],
                condition=Q(role="assistant"),
            ),
            models.Index(
                name="holdfast_message_rated",
                fields=["-created_at", "-id"],
                condition=Q(role="assistant") & ~Q(rating=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"

    def stored_parts(self) -> list[StoredPart]:
        """Return the parts as the journal knows them: no files, and nothing without text."""
        return [StoredPart(part["kind"], part["text"]) for part in self.parts if part.get("text")]

    @property
    def has_attachments(self) -> bool:
        """Whether files belong to it."""
        return any(part["kind"] == "attachment" for part in self.parts)

    def take_parts(self, parts: Iterable[StoredPart]) -> None:
        """Set the parts and what follows from them."""
        kept = list(parts)
        self.parts = [{"kind": part.kind, "text": part.text} for part in kept]
        self.content = text_of(kept)

    @property
    def cursor(self) -> Cursor:
        """The cursor that belongs to the stored text."""
        return end_of(self.stored_parts())


class RatedReplies(models.Manager["RatedReply"]):
    """Only what is rated: by an index that has nothing else."""

    def get_queryset(self) -> "models.QuerySet[RatedReply]":
        rows = super().get_queryset().filter(role=Message.Role.ASSISTANT)
        return rows.exclude(rating=0)


class RatedReply(Message):
    """A reply that its reader rated; for the page that lists them."""

    objects = RatedReplies()  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        verbose_name = _("rated reply")
        verbose_name_plural = _("feedback")


class Spending(models.Model):
    """What the replies that a person got on one day (UTC) took; it outlives the messages."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="holdfast_spending"
    )
    day = models.DateField(_("day"))
    input_tokens = models.PositiveBigIntegerField(_("input tokens"), default=0)
    output_tokens = models.PositiveBigIntegerField(_("output tokens"), default=0)
    replies = models.PositiveIntegerField(_("replies"), default=0)

    class Meta:
        verbose_name = _("spending")
        verbose_name_plural = _("spending")
        constraints = [
            models.UniqueConstraint(name="holdfast_spending_day", fields=["user", "day"])
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.day}"


class Attachment(models.Model):
    """A file that a person uploaded; without a message until the question with it is sent."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="holdfast_attachments"
    )
    message = models.ForeignKey(
        Message, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments"
    )
    file = models.FileField(upload_to="attachments/%Y/%m/", max_length=255)
    name = models.CharField(max_length=255)
    """As the person's file was called; never a path of ours."""
    content_type = models.CharField(max_length=100)
    """What the content was found to be, whatever the upload said."""
    size = models.PositiveBigIntegerField()
    """In bytes."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(
                name="holdfast_attachment_unsent",
                fields=["created_at"],
                condition=Q(message__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    """A text that a person uses again and again."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="holdfast_prompts"
    )
    name = models.CharField(max_length=100)
    content = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("prompt")
        verbose_name_plural = _("prompts")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(name="holdfast_prompt_name", fields=["owner", "name"])
        ]

    def __str__(self) -> str:
        return self.name


class Share(models.Model):
    """A read-only snapshot of a conversation, for whoever has its link."""

    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, primary_key=True, related_name="share"
    )
    token = models.CharField(max_length=43, unique=True, editable=False)
    title = models.CharField(max_length=200)
    description = models.CharField(max_length=300, blank=True)
    messages = models.JSONField(default=list)
    """The visible branch at that moment: role, content, model and time of each."""
    indexable = models.BooleanField(default=False)
    """Whether search engines may list it."""
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("shared link")
        verbose_name_plural = _("shared links")

    def __str__(self) -> str:
        return self.title


# Tables with a module of their own.
from conversations.accounts.attempts import Attempts as Attempts  # noqa: E402
from conversations.accounts.key_models import ApiKey as ApiKey  # noqa: E402
from conversations.accounts.key_models import Recheck as Recheck  # noqa: E402
from conversations.webhooks.models import Delivery as Delivery  # noqa: E402
from conversations.webhooks.models import Webhook as Webhook  # noqa: E402
