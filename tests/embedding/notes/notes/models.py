from uuid import uuid4

from django.db import models


class Note(models.Model):
    """Something said on a topic; `settlement` is None while it is being said."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    topic = models.CharField(max_length=100)
    text = models.TextField(blank=True)
    settlement = models.JSONField(null=True, editable=False)

    def __str__(self) -> str:
        return self.topic
