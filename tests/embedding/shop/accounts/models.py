"""The shop's own user: an address to sign in with, and a UUID as the key."""

from typing import Any
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class AccountManager(BaseUserManager["Account"]):
    def create_superuser(self, email: str, password: str, **fields: Any) -> "Account":
        account = self.model(email=email, is_staff=True, is_superuser=True, **fields)
        account.set_password(password)
        account.save()
        return account


class Account(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    person = models.CharField(max_length=100, blank=True)
    guest = models.BooleanField(default=False)
    conversations = models.PositiveIntegerField(default=0)

    objects = AccountManager()

    USERNAME_FIELD = "email"

    def __str__(self) -> str:
        return self.email
