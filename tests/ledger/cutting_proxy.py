"""A proxy before PostgreSQL that cuts a connection when the server did what it was asked."""

import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class CuttingProxy:
    """Passes everything on, until a message of a client holds `cut_after`: its answer never arrives."""

    def __init__(self, server: str) -> None:
        [folder] = parse_qs(urlsplit(server).query)["host"]
        self._server = f"{folder}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut_after: bytes | None = None
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """Return the URL of the same database through this proxy."""
        name = urlsplit(url).path
        return f"postgresql://postgres@127.0.0.1:{self.port}{name}?sslmode=disable&gssencmode=disable"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        with closing(client), closing(server), suppress(OSError):  # a side that is gone is an end
            while True:
                ready, _, _ = select.select([client, server], [], [])
                if client in ready:
                    data = client.recv(1 << 16)
                    server.sendall(data)
                    if self.cut_after is not None and re.search(self.cut_after, data):
                        server.recv(1 << 16)  # the server has answered: what it was asked is done
                        self.cut_after, self.cuts = None, self.cuts + 1
                        return
                else:
                    data = server.recv(1 << 16)
                    client.sendall(data)
                if not data:
                    return


@contextmanager
def a_proxy(server: str) -> Iterator[CuttingProxy]:
    """Run a proxy before the server."""
    proxy = CuttingProxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
