"""All that differs between places comes from the environment; no database is needed to show a deployment."""

import os

SECRET_KEY = os.environ["SECRET_KEY"]
VERSION = os.environ["VERSION"]

# The load balancer's host name, and the names under which nginx and the health check ask.
ALLOWED_HOSTS = [*os.environ.get("ALLOWED_HOSTS", "shop.example.com").split(","), "app", "127.0.0.1"]
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = [
    "shop.views.stamp",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": ["/srv/shop/templates"]}]
TIME_ZONE = "UTC"
USE_TZ = True
