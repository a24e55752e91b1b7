"""What Git said of a commit, remembered: a commit never changes, and each question is three processes."""

import threading
from collections import OrderedDict

KEPT = 32 * 1024 * 1024
"""Bytes of files that are kept, the last used ones: some thousand manifests."""

Name = tuple[str, str, str]


class FileMemory:
    """Files by repository, full commit and path. Safe in threads."""

    def __init__(self, most: int = KEPT) -> None:
        self._most, self._size = most, 0
        self._files: OrderedDict[Name, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Name) -> bytes | None:
        """Return a file that is remembered, or None."""
        with self._lock:
            if name in self._files:
                self._files.move_to_end(name)
            return self._files.get(name)

    def put(self, name: Name, data: bytes) -> None:
        """Remember a file; what was not used for longest is forgotten."""
        with self._lock:
            self._size += len(data) - len(self._files.pop(name, b""))
            self._files[name] = data
            while self._size > self._most:
                self._size -= len(self._files.popitem(last=False)[1])
