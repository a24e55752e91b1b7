"""Which IP addresses are of the internet, which of an internal network, and which nobody may be sent to."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that has been given out for the internet (RFC 4291 section 2.4)."""

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's WireServer: a public address that every virtual machine reaches
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Where a cloud tells a machine its own credentials."""

_INTERNAL4 = tuple(
    IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8")
)
_INTERNAL6 = (IPv6Network("fc00::/7"), IPv6Network("::1/128"))


def is_public(text: str) -> bool:
    """Tell whether an address is one of the internet, also where it wraps an IPv4 address."""
    address = _meant(text)
    if address in _METADATA or not address.is_global or address.is_multicast:
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL_UNICAST


def is_internal(text: str) -> bool:
    """Tell whether an address is of a private network or of this machine.

    Link-local addresses and those of cloud metadata are neither internal nor public.
    """
    address = _meant(text)
    if address in _METADATA:
        return False
    if isinstance(address, IPv4Address):
        return any(address in network for network in _INTERNAL4)
    return any(address in network for network in _INTERNAL6)


def _meant(text: str) -> Address:
    """Return the address that is reached: the IPv4 address where an IPv6 one only wraps it."""
    address = ip_address(text.partition("%")[0])
    inner = _wrapped(address) if isinstance(address, IPv6Address) else None
    return inner or address


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
