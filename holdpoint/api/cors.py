"""Cross-origin requests, on the codec's routes only: nothing else here is for another site's scripts."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

PREFIX = "/codec/"


class CodecCors(CORSMiddleware):
    """Starlette's own, on `/codec/` alone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
