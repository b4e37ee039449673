"""Which addresses and names a lab gets."""

from ipaddress import IPv4Network

import pytest

from lab.addresses import SLOTS, Addresses, choose_slot
from lab.errors import LabError

_INTERFACE_NAME_BYTES = 15


def test_no_two_slots_share_an_address_or_a_name() -> None:
    slots = [Addresses(slot) for slot in range(SLOTS)]
    assert len({one.kernel_name for one in slots}) == SLOTS
    for one in slots:
        assert not any(one.all.overlaps(other.all) for other in slots if other is not one)


@pytest.mark.parametrize("slot", [0, SLOTS - 1])
def test_ranges_of_a_slot_are_disjoint_and_covered_by_its_one_route(slot: int) -> None:
    own = Addresses(slot)
    ranges = [own.link, own.load_balancers, own.pods, own.services]
    assert all(part.subnet_of(own.all) for part in ranges)
    for part in ranges:
        assert not any(part.overlaps(other) for other in ranges if other is not part)
    assert len({own.node, own.host} & set(own.link.hosts())) == 2
    assert own.all.is_private
    assert len(own.kernel_name) <= _INTERFACE_NAME_BYTES


@pytest.mark.parametrize(
    ("used", "host", "expected"),
    [
        pytest.param([], [], 0, id="first lab of the machine"),
        pytest.param([0, 2], [], 1, id="a gap is filled"),
        pytest.param([], ["10.200.0.0/16"], 1, id="the host uses the same range"),
        pytest.param([], ["10.200.7.0/24", "10.201.3.4/32"], 2, id="the host uses parts of ranges"),
        pytest.param([0], ["10.0.0.0/8", "0.0.0.0/0"], 1, id="wider routes are no obstacle"),
        pytest.param([], ["192.168.0.0/16", "172.17.0.0/16"], 0, id="other ranges are no obstacle"),
    ],
)
def test_a_lab_takes_the_lowest_slot_that_hides_nothing(
    used: list[int], host: list[str], expected: int
) -> None:
    assert choose_slot(used, [IPv4Network(network) for network in host]) == expected


def test_a_full_machine_is_told_what_to_do() -> None:
    with pytest.raises(LabError, match=r"Next: take a lab down"):
        choose_slot(range(SLOTS), [])
