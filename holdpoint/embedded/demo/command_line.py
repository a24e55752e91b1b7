"""The demo drives Holdpoint as a stranger would: through the `holdpoint` command, one process per command."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdpoint.embedded.server import clean_environment, python

LONGEST = 100.0
"""Seconds one command may take; the whole demo has two minutes."""

Hear = Callable[[str], Awaitable[None]]


class Failed(Exception):
    """A command did not do what the demo needs, with what it said."""


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    document: dict[str, Any]
    said: list[str]


class CommandLine:
    """Runs commands on one data folder, each as one of the role accounts."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self._folder = data, folder
        self._tokens: dict[str, str] = {}

    async def log_in(self, *accounts: str) -> None:
        """Get a token for each account."""
        for account in accounts:
            done = await self.run("login", "--as", account)
            self._tokens[account] = str(done.document["token"])

    async def run(
        self, *arguments: str, by: str | None = None, hear: Hear | None = None, expect: int | None = 0
    ) -> Result:
        """Run one command with `--output json`; `hear` gets each line of its progress. Raises Failed."""
        environment = clean_environment() | {"HOLDPOINT_DATA": str(self.data)} | _opa()
        if by is not None:
            environment["HOLDPOINT_TOKEN"] = self._tokens[by]
        process = await asyncio.create_subprocess_exec(
            *python("holdpoint.cli", *arguments, "--output", "json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._folder,
            env=environment,
        )
        try:
            async with asyncio.timeout(LONGEST):
                said, printed = await asyncio.gather(_lines(process.stderr, hear), _all(process.stdout))
                code = await process.wait()
        except BaseException:
            process.kill()
            await process.wait()
            raise
        if expect is not None and code != expect:
            command = " ".join(("holdpoint", *arguments))
            raise Failed(f"`{command}` ended with {code}: {' '.join(said[-5:])} {printed[:500]}")
        document = json.loads(printed) if printed.strip() else {}
        return Result(code, document, said)


async def _lines(stream: asyncio.StreamReader | None, hear: Hear | None) -> list[str]:
    said: list[str] = []
    while stream is not None and (raw := await stream.readline()):
        said.append(raw.decode(errors="replace").rstrip())
        if hear is not None:
            await hear(said[-1])
    return said


async def _all(stream: asyncio.StreamReader | None) -> str:
    return "" if stream is None else (await stream.read()).decode(errors="replace")


def _opa() -> dict[str, str]:
    named = os.environ.get("HOLDPOINT_OPA")
    return {"HOLDPOINT_OPA": named} if named else {}
