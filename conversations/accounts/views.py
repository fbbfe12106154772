"""The account pages: sign up, in and out, and passwords.

They are for projects whose LOGIN_URL is `holdfast:sign_in`; in another's there are none.
"""

from typing import Any

from django.contrib.auth import get_user_model, login, views
from django.contrib.auth.mixins import AccessMixin
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, TemplateView

from conversations import conf
from conversations.accounts import guests
from conversations.accounts.forms import ResetForm, SignInForm, SignUpForm
from conversations.accounts.identity import backend_for_guests

_FORM = "conversations/account/form.html"
_NOTE = "conversations/account/note.html"


class SignIn(views.LoginView):
    """Sign in; what a guest has is taken along."""

    template_name = _FORM
    authentication_form = SignInForm
    next_page = "holdfast:new"
    extra_context = {"page": "sign_in", "title": _("Sign in"), "submit": _("Sign in")}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form to whoever is not signed in."""
        return _elsewhere(self) or super().get(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in, and adopt."""
        before = self.request.user.pk
        with transaction.atomic():
            guests.adopt(before, form.get_user().pk)
            return super().form_valid(form)


@method_decorator(
    [sensitive_post_parameters(), csrf_protect, never_cache],
    name="dispatch",
)
class SignUp(views.RedirectURLMixin, FormView):  # type: ignore[type-arg]
    """Make an account; a guest becomes one, with everything they have."""

    template_name = _FORM
    form_class = SignUpForm
    next_page = "holdfast:new"
    extra_context = {
        "page": "sign_up",
        "title": _("Create an account"),
        "submit": _("Create account"),
    }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not conf.signup_allowed():
            raise Http404
        return _elsewhere(self) or super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Carry on where the person wanted to go."""
        context = super().get_context_data(**kwargs)
        keeps = guests.is_guest(self.request.user)
        text = _("Your conversations so far come with you.") if keeps else ""
        return {**context, "text": text, self.redirect_field_name: self.get_redirect_url()}

    def get_form_kwargs(self) -> dict[str, Any]:
        """Let the form fill in the guest who is here."""
        kwargs = super().get_form_kwargs()
        if guests.is_guest(self.request.user):
            guest: Any = self.request.user.pk
            kwargs["instance"] = get_user_model()._default_manager.get(pk=guest)
        return kwargs

    def form_valid(self, form: Any) -> HttpResponseRedirect:
        """Write the account and sign in, with another session key."""
        with transaction.atomic():
            user = form.save()
            guests.settle_down(user)
            login(self.request, user, backend=backend_for_guests())
        return HttpResponseRedirect(self.get_success_url())


def _elsewhere(view: Any) -> HttpResponseRedirect | None:
    """Lead on whoever has an account already."""
    user = view.request.user
    if not user.is_authenticated or guests.is_guest(user):
        return None
    return HttpResponseRedirect(view.get_success_url())


class SignOut(views.LogoutView):
    """Sign out; POST only."""

    next_page = "holdfast:new"


class ChangePassword(AccessMixin, views.PasswordChangeView):
    """Change the password; every other session of the person ends."""

    template_name = _FORM
    success_url = reverse_lazy("holdfast:password_changed")
    extra_context = {
        "page": "password",
        "title": _("Change your password"),
        "text": _("Everywhere else you will have to sign in again."),
        "submit": _("Change password"),
    }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if guests.is_guest(request.user):
            return HttpResponseRedirect(reverse("holdfast:sign_in"))
        return super().dispatch(request, *args, **kwargs)


class PasswordChanged(TemplateView):
    """Says so."""

    template_name = _NOTE
    extra_context = {
        "page": "password",
        "title": _("Your password is changed"),
        "text": _("You stay signed in here; everywhere else the new password is asked for."),
    }


class ResetPassword(views.PasswordResetView):
    """Ask for a link by e-mail; the answer does not tell who has an account."""

    template_name = _FORM
    form_class = ResetForm
    email_template_name = "conversations/account/reset_email.txt"
    subject_template_name = "conversations/account/reset_subject.txt"
    success_url = reverse_lazy("holdfast:reset_sent")
    extra_context = {
        "page": "reset",
        "title": _("Forgot your password?"),
        "text": _("Give the e-mail address of your account. A link to set a new one goes there."),
        "submit": _("Send the link"),
    }

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not conf.mail_goes_out():
            raise Http404
        self.extra_email_context = {"product_name": conf.product_name()}
        return super().dispatch(request, *args, **kwargs)


class ResetSent(TemplateView):
    """Says what happens now, in the same words for every address."""

    template_name = _NOTE
    extra_context = {
        "page": "reset",
        "title": _("Look into your mail"),
        "text": _(
            "If an account has this address, a link is on its way. It works once, and not for long."
            " Nothing there? Look among unwanted mail, or check the address."
        ),
    }


class SetPassword(views.PasswordResetConfirmView):
    """Where the link of the e-mail leads."""

    template_name = "conversations/account/set_password.html"
    success_url = reverse_lazy("holdfast:reset_done")
    extra_context = {"page": "reset", "submit": _("Set password")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Title the page by whether the link still works."""
        context = super().get_context_data(**kwargs)
        works = context["validlink"]
        title = _("Choose a new password") if works else _("This link does not work any more")
        return {**context, "title": title}


class ResetDone(TemplateView):
    """Says so."""

    template_name = _NOTE
    extra_context = {
        "page": "reset_done",
        "title": _("Your new password is set"),
        "text": _("Sign in with it."),
    }
