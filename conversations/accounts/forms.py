"""Forms of the account pages; what they say beside Django's own words."""

import logging
from threading import Thread
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm, SetPasswordMixin
from django.core.mail import EmailMessage
from django.template import loader
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

_User = get_user_model()


def _names() -> list[str]:
    """List the fields that name a user: what they sign in with, and their address."""
    names = [_User.USERNAME_FIELD]
    address = _User.get_email_field_name() if hasattr(_User, "get_email_field_name") else ""
    has_address = any(field.name == address for field in _User._meta.get_fields())
    return [*names, address] if has_address and address not in names else names


class SignInForm(AuthenticationForm):
    """Name and password."""

    error_messages = {
        "invalid_login": _("That name and password do not match. Both are case-sensitive."),
        "inactive": _("This account is closed."),
    }


class SignUpForm(SetPasswordMixin, forms.ModelForm):  # type: ignore[type-arg]
    """A name, an address for a forgotten password, and a password, once: it can be shown."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = _User
        fields = _names()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        name = self.fields[_User.USERNAME_FIELD]
        name.help_text = ""
        name.widget.attrs |= {"autocomplete": "username", "autocapitalize": "none"}
        if self.instance.pk is not None:
            self.initial.pop(_User.USERNAME_FIELD, None)  # a guest's name is not for people
        for field in _names()[1:]:
            self.fields[field].help_text = _("Optional: to set a new password if you forget yours.")
            self.fields[field].widget.attrs["autocomplete"] = "email"

    def clean(self) -> dict[str, Any] | None:
        """Refuse a name that differs from another's in capitals only."""
        name = self.cleaned_data.get(_User.USERNAME_FIELD)
        same = _User._default_manager.filter(**{f"{_User.USERNAME_FIELD}__iexact": name})
        if name and same.exclude(pk=self.instance.pk).exists():
            self.add_error(_User.USERNAME_FIELD, _("This name is taken."))
        return super().clean()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # fills in the user, whose name counts
        self.validate_password_for_user(self.instance, "password")

    def save(self, commit: bool = True) -> Any:
        """Write the user with the password."""
        user = super().save(commit=False)
        return self.set_password_and_save(user, "password", commit=commit)


class ResetForm(PasswordResetForm):
    """Asks for an address, and answers as quickly whether or not it is known."""

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        """Write the e-mail and send it aside: the time it takes would tell who has an account."""
        subject = loader.render_to_string(subject_template_name, context)
        body = loader.render_to_string(email_template_name, context)
        message = EmailMessage(" ".join(subject.split()), body, from_email, [to_email])
        Thread(target=_send, args=(message,), name="mail").start()


def _send(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception:  # a mail server may fail in any way, and nobody waits for the answer
        logger.exception("An e-mail with a link to a new password could not be sent")
