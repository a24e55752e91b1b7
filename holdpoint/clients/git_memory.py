"""What Git said of a commit, remembered: a commit never changes, and a question is a process or several."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

KEPT = 32 * 1024 * 1024
"""Bytes of answers that are kept, the last used ones: some thousand manifests."""

FACTS = 4 * 1024 * 1024
"""Bytes of diffs, and of authors, that are kept: a ticket is evaluated twice and more."""

V = TypeVar("V")


class Memory(Generic[V]):
    """Answers by question. A question names the repository and full commits. Safe in threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._total = most, 0
        self._answers: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: Hashable) -> V | None:
        """Return an answer that is remembered, or None."""
        with self._lock:
            if question not in self._answers:
                return None
            self._answers.move_to_end(question)
            return self._answers[question][0]

    def put(self, question: Hashable, answer: V, size: int) -> None:
        """Remember an answer of so many bytes; what was not used for longest is forgotten."""
        with self._lock:
            before = self._answers.pop(question, None)
            self._answers[question] = answer, size
            self._total += size - (0 if before is None else before[1])
            while self._total > self._most:
                self._total -= self._answers.popitem(last=False)[1][1]
