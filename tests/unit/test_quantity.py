"""How quantities are read, and written again."""

import pytest
from kubernetes.utils.quantity import parse_quantity

from components.settings.quantity import canonical, doubled


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("20Gi", "20Gi"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000M", "1G"),
        ("1.5G", "1500M"),
        ("1500k", "1500k"),
        ("1073741824", "1073741824"),
        ("2000000000", "2G"),
    ],
)
def test_sizes_are_written_as_the_api_server_writes_them(given: str, expected: str) -> None:
    assert canonical(given) == expected
    assert parse_quantity(given) == parse_quantity(expected)


@pytest.mark.parametrize(
    ("given", "expected"), [("1Gi", "2Gi"), ("64Mi", "128Mi"), ("1500M", "2862Mi")]
)
def test_twice_a_size_is_a_size_that_can_be_set(given: str, expected: str) -> None:
    assert doubled(given) == expected
