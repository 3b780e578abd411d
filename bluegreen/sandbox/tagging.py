"""What AWS accepts as a tag. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bluegreen.sandbox.calls import AwsError

TAGS = 50
KEY_LENGTH = 128
VALUE_LENGTH = 256
METADATA_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")


def check_instance_tags(tags: Sequence[dict[str, Any]], *, in_metadata: bool) -> None:
    """EC2's rules; `in_metadata` if the metadata service is to show them, which allows fewer characters."""
    keys = [str(tag.get("Key", "")) for tag in tags]
    for key in keys:
        if keys.count(key) > 1:
            raise AwsError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        if not key:
            raise AwsError("InvalidParameterValue", "Tag key cannot be empty.")
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > KEY_LENGTH:
            raise AwsError("InvalidParameterValue", f"Tag key exceeds the maximum length of {KEY_LENGTH} characters")
        if in_metadata and (not METADATA_KEY.fullmatch(key) or key in (".", "..", "_index")):
            raise AwsError(
                "InvalidParameterValue",
                f"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), "
                "and must not be a reserved name ('.', '..', '_index')",
            )
    for tag in tags:
        if len(str(tag.get("Value", ""))) > VALUE_LENGTH:
            raise AwsError(
                "InvalidParameterValue", f"Tag value exceeds the maximum length of {VALUE_LENGTH} characters"
            )
    if len(keys) > TAGS:
        raise AwsError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")


def check_balancing_tags(tags: Sequence[dict[str, Any]]) -> None:
    """Elastic Load Balancing's rules."""
    keys = [str(tag.get("Key", "")) for tag in tags]
    for key in keys:
        if keys.count(key) > 1:
            raise AwsError("DuplicateTagKeys", f"A tag key was specified more than once: {key}")
        if key.lower().startswith("aws:"):
            raise AwsError("ValidationError", "aws: prefixed tag key names are not allowed for external use")
        if not 1 <= len(key) <= KEY_LENGTH:
            raise AwsError("ValidationError", f"Tag key must have length between 1 and {KEY_LENGTH}")
    if any(len(str(tag.get("Value", ""))) > VALUE_LENGTH for tag in tags):
        raise AwsError("ValidationError", f"Tag value must have length less than or equal to {VALUE_LENGTH}")
    if len(keys) > TAGS:
        raise AwsError("TooManyTags", "You've reached the limit on the number of tags for this resource.")
