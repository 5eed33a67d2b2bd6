"""Sign up, and the account page with its API keys."""

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.forms import SignUpForm
from accounts.models import User
from accounts.services import TooManyApiKeys, api_key_create, api_key_revoke


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.save())
        return redirect("catalogue")
    return render(request, "registration/signup.html", {"form": form})


@login_required
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Shows the keys; a POST makes one and shows it this once."""
    assert isinstance(request.user, User)
    new_key = ""
    if request.method == "POST":
        try:
            _row, new_key = api_key_create(user=request.user, title=request.POST.get("title", ""))
        except TooManyApiKeys as error:
            messages.error(request, str(error))
    keys = request.user.api_keys.filter(revoked_at=None)
    return render(request, "accounts/account.html", {"api_keys": keys, "new_key": new_key})


@login_required
@require_POST
def revoke_key(request: HttpRequest, key_id: int) -> HttpResponse:
    assert isinstance(request.user, User)
    if api_key_revoke(user=request.user, key_id=key_id):
        messages.success(request, _("The key no longer works."))
    return redirect("account")
