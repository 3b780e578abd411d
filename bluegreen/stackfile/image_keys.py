"""The keys of `images:` in the stack file: the image chain."""

from __future__ import annotations

from bluegreen.stackfile.kinds import Items, Text
from bluegreen.stackfile.maps import Key, Keys, Table

PATH = Text("a path below the stack file's folder", r"[^\\\x00-\x1f]{1,512}")
PATTERN = Text("a path or a glob below the context", r"[^\\\x00-\x1f]{1,512}")
IMAGE_NAME = Text("lower-case letters and digits, with . _ - between them", r"[a-z0-9]+([._-][a-z0-9]+){0,15}")
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"

IMAGE = Keys(
    {
        "from": Key(
            Text("another image's name, host/repository:tag, host/repository@sha256:…, or scratch", r"\S{1,512}"),
            "what it is made from; the Dockerfile gets it as the argument BASE",
            True,
            example="deps",
        ),
        "context": Key(PATH, "the folder that inputs are relative to (default: the stack file's)"),
        "dockerfile": Key(PATH, "a Dockerfile, or a jinja2 template of one (.j2) (default: Dockerfile in the context)"),
        "inputs": Key(
            Items(PATTERN, unique=True),
            "files, folders and globs (`*`, `**`): the build context, nothing else (default: none)",
            example="[requirements.txt, shop]",
        ),
        "key": Key(
            Items(PATTERN, unique=True),
            "those inputs whose content decides whether to build, such as a lock file (default: all)",
        ),
        "args": Key(
            Table(Text("an argument's name", VARIABLE), Text(numbers=True), "a map of arguments"),
            "build arguments; a template reads them as args.NAME",
        ),
        "platform": Key(
            Text(choices=("linux/amd64", "linux/arm64")), "what it is built for (default: the fleet's architecture)"
        ),
        "templates": Key(PATH, "the folder that templates include and import from (default: the Dockerfile's)"),
        "secrets": Key(
            Table(
                Text("a secret's id", r"[A-Za-z0-9_.-]{1,64}"),
                Keys(
                    {
                        "environment": Key(Text("a variable's name", VARIABLE), "the variable that holds it"),
                        "file": Key(PATH, "the file that holds it"),
                    }
                ),
                "a map of secrets",
            ),
            "for RUN --mount=type=secret,id=…: never in a layer; needs an engine with BuildKit",
        ),
        "repository": Key(
            Text("a repository without a host, such as shop/app", r"[a-z0-9]+([._/-]+[a-z0-9]+){0,31}"),
            "where it is kept in the registry (default: STACK/NAME)",
        ),
    }
)
