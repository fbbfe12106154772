"""The page of one's API keys: make one, see it once, revoke it."""

from typing import Any

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.generic import FormView, View

from conversations.accounts import guests, keys
from conversations.models import ApiKey

MOST_OF_A_PERSON = 50
"""Valid keys."""


class KeyForm(forms.Form):
    """What a new key is called, and what it is for."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What it is for, so that you know later which one to revoke."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=lambda: list(keys.SCOPES.items()),
        initial=[keys.READ, keys.CHAT],
        widget=forms.CheckboxSelectMultiple,
    )


class _OfPeopleWithAnAccount(LoginRequiredMixin, View):
    """Leads guests and visitors to the sign-in; a key would outlive a guest's session."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if guests.is_guest(request.user):
            return self.handle_no_permission()
        return super().dispatch(request, *args, **kwargs)

    def handle_no_permission(self) -> HttpResponseRedirect:
        return redirect_to_login(self.request.get_full_path(), self.get_login_url())


@method_decorator([csrf_protect, never_cache], name="dispatch")
class Keys(_OfPeopleWithAnAccount, FormView):  # type: ignore[type-arg]
    """Lists one's keys, and makes them."""

    template_name = "conversations/account/keys.html"
    form_class = KeyForm
    extra_context = {"page": "keys", "title": _("API keys")}

    def form_valid(self, form: KeyForm) -> HttpResponse:
        """Make a key and show it, this once."""
        if self._valid().count() >= MOST_OF_A_PERSON:
            form.add_error(None, _("You have very many keys; revoke one that is not needed."))
            return self.form_invalid(form)
        key, secret = keys.make(
            self.request.user, form.cleaned_data["name"], form.cleaned_data["scopes"]
        )
        return self.render_to_response(
            self.get_context_data(form=KeyForm(), made=key, secret=secret)
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the keys that are valid."""
        return {**super().get_context_data(**kwargs), "keys": self._valid()}

    def _valid(self) -> Any:
        return ApiKey.objects.valid().filter(owner_id=self.request.user.pk)


@method_decorator(csrf_protect, name="dispatch")
class RevokeKey(_OfPeopleWithAnAccount):
    """Revokes one of one's keys; POST only."""

    def post(self, request: HttpRequest, key_id: int) -> HttpResponseBase:
        """Revoke, and show the rest."""
        keys.revoke(ApiKey.objects.filter(owner_id=request.user.pk, id=key_id))
        return redirect("holdfast:keys")
