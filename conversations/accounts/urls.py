"""Where the account pages lie."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.i18n import set_language

from conversations.accounts import key_pages
from conversations.accounts import views as pages
from conversations.accounts.identity import sign_in_is_ours
from conversations.accounts.throttling import throttled, throttled_mail, throttled_password

View = Callable[..., HttpResponseBase]


def _ours(view: View) -> View:
    """Hide a page where the project has its own."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not sign_in_is_ours():
            raise Http404
        return view(request, *args, **kwargs)

    return page


account = [
    path("account/sign-in", _ours(throttled(pages.SignIn.as_view())), name="sign_in"),
    path("account/sign-up", _ours(pages.SignUp.as_view()), name="sign_up"),
    path("account/sign-out", _ours(pages.SignOut.as_view()), name="sign_out"),
    path(
        "account/password",
        _ours(throttled_password(pages.ChangePassword.as_view())),
        name="password",
    ),
    path(
        "account/password/changed",
        _ours(pages.PasswordChanged.as_view()),
        name="password_changed",
    ),
    path("account/reset", _ours(throttled_mail(pages.ResetPassword.as_view())), name="reset"),
    path("account/reset/sent", _ours(pages.ResetSent.as_view()), name="reset_sent"),
    path("account/reset/done", _ours(pages.ResetDone.as_view()), name="reset_done"),
    path(
        "account/reset/<uidb64>/<token>",
        _ours(pages.SetPassword.as_view()),
        name="set_password",
    ),
    path("account/keys", key_pages.Keys.as_view(), name="keys"),
    path("account/keys/<int:key_id>/revoke", key_pages.RevokeKey.as_view(), name="revoke_key"),
    path("account/language", set_language, name="language"),
]
