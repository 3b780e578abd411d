"""The shop's pages. Every answer says which version gave it, and on which machine."""

import platform

from django.conf import settings
from django.core.signing import Signer
from django.http import JsonResponse
from django.shortcuts import render


def stamp(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Version"] = settings.VERSION
        response["X-Served-By"] = platform.node()
        return response

    return middleware


def home(request):
    return render(request, "home.html", {"version": settings.VERSION, "host": platform.node()})


def health(request):
    return JsonResponse({"status": "ok", "version": settings.VERSION})


def receipt(request, order):
    """Signed with SECRET_KEY: whoever knows the key can tell that this shop wrote it, and nobody learns the key."""
    return JsonResponse({"order": order, "receipt": Signer().sign(str(order))})
