"""Which addresses are of the internet, which of an internal network, and which are neither."""

import pytest

from holdpoint.clients.addresses import is_internal, is_public

PUBLIC, INTERNAL, NEITHER = (True, False), (False, True), (False, False)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("93.184.215.14", PUBLIC),
        ("2606:4700::1111", PUBLIC),
        ("::ffff:93.184.215.14", PUBLIC),
        ("127.0.0.1", INTERNAL),
        ("127.8.9.1", INTERNAL),
        ("10.1.2.3", INTERNAL),
        ("172.16.0.1", INTERNAL),
        ("192.168.1.1", INTERNAL),
        ("100.64.0.1", INTERNAL),
        ("::1", INTERNAL),
        ("fd00::1", INTERNAL),
        ("::ffff:127.0.0.1", INTERNAL),
        ("::ffff:10.1.2.3", INTERNAL),
        ("64:ff9b::7f00:1", INTERNAL),
        ("2002:7f00:1::1", INTERNAL),
        ("169.254.169.254", NEITHER),
        ("169.254.1.1", NEITHER),
        ("168.63.129.16", NEITHER),
        ("100.100.100.200", NEITHER),
        ("192.0.0.192", NEITHER),
        ("fd00:ec2::254", NEITHER),
        ("0.0.0.0", NEITHER),
        ("255.255.255.255", NEITHER),
        ("224.0.0.251", NEITHER),
        ("240.0.0.1", NEITHER),
        ("192.0.2.7", NEITHER),
        ("::", NEITHER),
        ("::127.0.0.1", NEITHER),
        ("fe80::1%eth0", NEITHER),
        ("fec0::1", NEITHER),
        ("ff02::1", NEITHER),
        ("2001:db8::7", NEITHER),
        ("64:ff9b:1::7f00:1", NEITHER),
        ("::ffff:169.254.169.254", NEITHER),
        ("64:ff9b::a9fe:a9fe", NEITHER),
        ("2002:a9fe:a9fe::1", NEITHER),
    ],
)
def test_an_address_is_what_it_reaches_however_it_is_wrapped(address: str, what: tuple[bool, bool]) -> None:
    assert (is_public(address), is_internal(address)) == what
