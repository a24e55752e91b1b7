"""Resource quantities in the canonical form in which an API server stores them (`2000m` is kept as `2`).

Source: k8s.io/apimachinery/pkg/api/resource/quantity.go: no fraction, and the largest suffix that needs none.
"""

import re
from fractions import Fraction

_NUMBER = re.compile(r"^([+-]?[0-9]*\.?[0-9]*)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]+)?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def canonical(value: object) -> str | None:
    """Return the canonical text of a quantity, or None when it is none."""
    text = str(value)
    found = _NUMBER.match(text)
    if isinstance(value, bool) or not found or not any(ch.isdigit() for ch in found[1]):
        return None
    number, suffix = Fraction(found[1].rstrip(".") or "0"), found[2] or ""
    if suffix in _BINARY:
        return _binary(number * 2 ** _BINARY[suffix])
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    number *= Fraction(10) ** exponent
    return _scientific(number) if suffix not in _DECIMAL else _decimal(number)


def _binary(number: Fraction) -> str:
    if number.denominator != 1:
        return _decimal(number)
    for suffix, power in sorted(_BINARY.items(), key=lambda item: -item[1]):
        if number and number % 2**power == 0:
            return f"{number // 2**power}{suffix}"
    return str(number)


def _decimal(number: Fraction) -> str:
    for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
        scaled = number / Fraction(10) ** power
        if number and scaled.denominator == 1:
            return f"{scaled}{suffix}"
    return "0" if not number else f"{-(-number * 10**9 // 1)}n"


def _scientific(number: Fraction) -> str:
    for power in range(18, -10, -3):
        scaled = number / Fraction(10) ** power
        if number and scaled.denominator == 1:
            return f"{scaled}e{power}" if power else str(scaled)
    return "0"
