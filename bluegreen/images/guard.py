"""What never goes into a build context by accident: keys, passwords, repositories, large files. Named one by one, it may.

By name, and by the first mebibyte of each file's content. A guard against accidents: it knows the usual shapes and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from bluegreen.errors import Refused, UsageError
from bluegreen.images.inputs import Context, Entry

LARGE_BYTES = 16 << 20
LOOKED_AT = 1 << 20
TOLD = 20

FOLDERS = {
    ".git": "a Git repository",
    ".hg": "a Mercurial repository",
    ".svn": "a Subversion checkout",
    ".ssh": "SSH keys",
    ".gnupg": "GnuPG keys",
    ".aws": "AWS credentials",
    ".azure": "Azure credentials",
    ".kube": "a Kubernetes login",
    ".docker": "a registry login",
    ".terraform": "Terraform's state",
}
FILES = {
    ".git": "a Git work tree",
    ".env": "an environment file",
    ".env.*": "an environment file",
    "id_rsa": "an SSH key",
    "id_dsa": "an SSH key",
    "id_ecdsa": "an SSH key",
    "id_ed25519": "an SSH key",
    "*.p12": "a key store",
    "*.pfx": "a key store",
    "*.jks": "a key store",
    "*.kdbx": "a password safe",
    "*.ppk": "an SSH key",
    ".netrc": "logins",
    ".pgpass": "a database's password",
    ".my.cnf": "a database's password",
    ".git-credentials": "a Git login",
    ".htpasswd": "passwords",
    ".vault-token": "a Vault token",
    "master.key": "Rails' master key",
    "*.tfstate": "Terraform's state",
    "*.tfstate.backup": "Terraform's state",
    "application_default_credentials.json": "Google credentials",
    ".boto": "cloud credentials",
    ".s3cfg": "cloud credentials",
    ".pypirc": "a package index's login",
}
HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist")
CONTENT = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", "a private key"),
        (rb"PuTTY-User-Key-File-\d:", "a private key"),
        (rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", "an AWS access key"),
        (rb"(?i)aws_secret_access_key\s*[=:]\s*\S", "an AWS secret key"),
        (rb'"type"\s*:\s*"service_account"', "a Google service account's key"),
        (rb"AccountKey=[A-Za-z0-9+/]{20}", "an Azure storage key"),
        (rb"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40}", "a GitHub token"),
        (rb"glpat-[A-Za-z0-9_-]{20}", "a GitLab token"),
        (rb"xox[abeoprs]-[A-Za-z0-9-]{10}", "a Slack token"),
        (rb"[sr]k_live_[A-Za-z0-9]{16}", "a Stripe key"),
        (rb"npm_[A-Za-z0-9]{36}", "an npm token"),
        (rb":_(?:authToken|password|auth)\s*=\s*[^\s$]", "an npm login"),
        (rb"pypi-AgEIcHlwaS5vcmc", "a PyPI token"),
        (rb'"auth"\s*:\s*"[A-Za-z0-9+/]{8}', "a registry login"),
    )
)


def check(name: str, context: Context) -> None:
    """Raises Refused for image `name`, with all that was found."""
    found = list(_found(context))
    if not found:
        return
    shown = [f"  {path}: {what}" for path, what in found[:TOLD]]
    more = [f"  and {len(found) - TOLD} more"] if len(found) > TOLD else []
    raise Refused(
        f"{name}: {len(found)} {'file' if len(found) == 1 else 'files'} must not go into an image by accident\n"
        + "\n".join(shown + more),
        where=str(context.folder),
        why="what is in a layer stays there, for everybody who can pull it",
        next="narrow inputs, add it to .dockerignore, or mean it: name the file itself in inputs",
    )


def _found(context: Context) -> Iterator[tuple[str, str]]:
    folders: set[str] = set()
    for entry in context.entries:
        above = PurePosixPath(entry.path).parents
        if (entry.named and not entry.is_folder) or any(str(folder) in folders for folder in above):
            continue
        what = _by_name(PurePosixPath(entry.path), entry) or (entry.is_file and _by_content(context, entry))
        if what:
            folders |= {entry.path} if entry.is_folder else set()
            yield entry.path, what


def _by_name(path: PurePosixPath, entry: Entry) -> str:
    if entry.is_folder:
        return FOLDERS.get(path.name, "")
    if above := next((folder for folder in path.parts[:-1] if folder in FOLDERS), ""):
        return FOLDERS[above]
    if path.name in HARMLESS:
        return ""
    for pattern, what in FILES.items():
        if fnmatchcase(path.name, pattern):
            return what
    return f"{entry.size >> 20} MiB, more than {LARGE_BYTES >> 20}" if entry.size > LARGE_BYTES else ""


def _by_content(context: Context, entry: Entry) -> str:
    try:
        with (context.folder / entry.path).open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError as error:
        raise UsageError(f"{context.folder / entry.path} cannot be read", why=error.strerror or str(error)) from None
    return next((what for pattern, what in CONTENT if pattern.search(start)), "")
