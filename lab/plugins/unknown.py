"""How the engine writes what is known only after the preview."""

from typing import Any, Final

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""A text; and any output of a resource that is not made yet."""

_OTHERS = (
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # boolean
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
)


def is_unknown(value: Any) -> bool:
    """Whether a value of an input is not known yet. (sdk/go/common/resource/plugin/rpc.go)"""
    return value == UNKNOWN or (isinstance(value, str) and value in _OTHERS)
