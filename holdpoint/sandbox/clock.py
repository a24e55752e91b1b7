"""Times as Kubernetes writes them."""

from datetime import UTC, datetime


def seconds_text(moment: float) -> str:
    """Return a `metav1.Time`: RFC 3339 in whole seconds, UTC; the moment is Unix seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros_text(moment: float) -> str:
    """Return a `metav1.MicroTime`: RFC 3339 with six decimals, UTC; the moment is Unix seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> float:
    """Return Unix seconds of an RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
