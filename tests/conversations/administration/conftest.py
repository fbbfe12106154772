"""Who is there in the tests of the administration."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation
from tests.conversations.administration.rows import SECRET, person


@pytest.fixture
def alice(db: None) -> Any:
    return person("alice")


@pytest.fixture
def boss(db: None) -> Client:
    """May do everything."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss"))
    return client


@pytest.fixture
def conversation(alice: Any) -> Conversation:
    return Conversation.objects.create(
        owner=alice, title=f"About {SECRET}", system_prompt=SECRET, updated_at=timezone.now()
    )
