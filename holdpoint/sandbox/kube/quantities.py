"""Resource quantities in the canonical form in which an API server stores them (`2000m` is kept as `2`).

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go: no fraction, and the largest suffix that needs none.
"""

import re
from fractions import Fraction

_NUMBER = re.compile(r"^([+-]?[0-9]*\.?[0-9]*)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,3})?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def canonical(value: object) -> str | None:
    """Return the canonical text of a quantity, or None when it is none."""
    number = amount(value)
    if number is None:
        return None
    suffix = _suffix(value)
    if suffix in _BINARY:
        return _binary(number)
    return _decimal(number) if suffix in _DECIMAL else _scientific(number)


def amount(value: object) -> Fraction | None:
    """Return what a quantity amounts to, or None when it is none."""
    found = _NUMBER.match(str(value))
    if isinstance(value, bool) or not found or not any(ch.isdigit() for ch in found[1]):
        return None
    suffix = found[2] or ""
    number = Fraction(found[1].rstrip("."))
    if suffix in _BINARY:
        return number * (1 << _BINARY[suffix])
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number * _ten(exponent)


def _ten(exponent: int) -> Fraction:
    return Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)


def _suffix(value: object) -> str:
    found = _NUMBER.match(str(value))
    return (found[2] or "") if found else ""


def _binary(number: Fraction) -> str:
    if number.denominator != 1:
        return _decimal(number)
    for suffix, power in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if number and number % (1 << power) == 0:
            return f"{number // (1 << power)}{suffix}"
    return str(number)


def _decimal(number: Fraction) -> str:
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = number / _ten(power)
        if number and scaled.denominator == 1:
            return f"{scaled}{suffix}"
    return "0" if not number else f"{-(-number * 10**9 // 1)}n"


def _scientific(number: Fraction) -> str:
    for power in range(18, -10, -3):
        scaled = number / _ten(power)
        if number and scaled.denominator == 1:
            return f"{scaled}e{power}" if power else str(scaled)
    return "0"
