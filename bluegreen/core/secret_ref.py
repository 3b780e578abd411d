"""References to secrets, as they stand in a stack file and in boot.json: `ssm:/path`, `secretsmanager:NAME[#KEY]`. Pure.

Instances read the same (cloudinit/aws.py).
"""

from __future__ import annotations

import json
import re

SHAPES = "ssm:/path (letters, digits, _ . - /), or secretsmanager:NAME or secretsmanager:NAME#KEY"

# SSM API reference, PutParameter Name; Secrets Manager API reference, CreateSecret Name. KEY is of a secret that is JSON.
_SHAPE = re.compile(r"ssm:/[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@-]{1,512}(#[^\s#]{1,256})?")


def means_one(value: str) -> bool:
    """Whether it is meant as a reference, well-formed or not."""
    return value.startswith(("ssm:", "secretsmanager:"))


def is_one(value: str) -> bool:
    return _SHAPE.fullmatch(value) is not None


def parts(reference: str) -> tuple[str, str, str]:
    """Of a well-formed one: the store (ssm, secretsmanager), the name in it, and the key in the JSON or ""."""
    store, _, rest = reference.partition(":")
    name, _, key = rest.partition("#")
    return store, name, key


def at_key(text: str, key: str) -> str:
    """What a secret that is JSON holds at `key`; all of it without one. Raises ValueError."""
    try:
        return str(json.loads(text)[key]) if key else text
    except (ValueError, LookupError, TypeError):
        raise ValueError(f"not JSON with the key {key}") from None
