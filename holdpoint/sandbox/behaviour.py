"""How the pods of one image behave: what they answer, how fast, how much they are asked."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

DEFAULT_ERROR_RATE = 0.0
DEFAULT_LATENCY_MS = 80.0
DEFAULT_RPS = 200.0

ANY = "*"
"""In place of an image: all those of which nothing was asked by name."""


@dataclass(frozen=True)
class Behaviour:
    """One image's behaviour. `after` delays all but `never_ready`, from when pods of the image became ready.

    `latency_ms` is the 99th percentile; `rps` is the total of a Service whose pods run the image.
    """

    image: str
    error_rate: float | None = None
    latency_ms: float | None = None
    rps: float | None = None
    never_ready: bool = False
    after: float = 0.0
    set_at: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return it as stored and shown."""
        return asdict(self)


@dataclass
class Behaviours:
    """The behaviours that were asked for, by image, and since when each is in effect."""

    by_image: dict[str, Behaviour] = field(default_factory=dict)
    _begun: dict[str, float] = field(default_factory=dict)

    def set(self, behaviour: Behaviour) -> None:
        """Replace what was asked of this image before."""
        self.by_image[behaviour.image] = behaviour
        self._begun.pop(behaviour.image, None)

    @property
    def keep_from_ready(self) -> bool:
        """Tell whether the pods of any image stay unready."""
        return any(behaviour.never_ready for behaviour in self.by_image.values())

    def never_ready(self, images: Iterable[str]) -> bool:
        """Tell whether a pod with these images stays unready."""
        return any(asked.never_ready for image in images if (asked := self._asked(image)) is not None)

    def follow(self, ready_since: dict[str, float]) -> None:
        """Take note of when the first of each image's ready pods became ready (Unix seconds).

        The moment is kept while pods of the image come and go, and forgotten when none is left.
        """
        for image, since in ready_since.items():
            self._begun.setdefault(image, since)
        for image in [image for image in self._begun if image not in ready_since]:
            del self._begun[image]

    def in_effect(self, images: Iterable[str], now: float) -> list[Behaviour]:
        """Return the behaviours that pods with these images show now."""
        asked = ((image, self._asked(image)) for image in images)
        return [b for image, b in asked if b is not None and self._started(image, b, now)]

    def _asked(self, image: str) -> Behaviour | None:
        return self.by_image.get(image) or self.by_image.get(ANY)

    def _started(self, image: str, behaviour: Behaviour, now: float) -> bool:
        if not behaviour.after:
            return True
        begun = self._begun.get(image)
        return begun is not None and now >= max(begun, behaviour.set_at) + behaviour.after
