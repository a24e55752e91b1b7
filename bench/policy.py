"""Decisions per second through our client, over a bare asynchronous HTTP client on the same OPA."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench.cases import Case, compared
from bench.installation import Installation, installed
from bench.progress import say
from holdpoint.clients.policy import OpaEngine
from holdpoint.models.policy import PolicyInput

DECISIONS, AT_ONCE, ROUNDS = 1000, 16, 7


async def measure() -> list[Case]:
    """Ask the same question both ways, in turns."""
    async with installed(["web"]) as stack:
        url, token_file = _opa(stack)
        question = await _question(stack)
        engine = OpaEngine(url, token_file)
        ours: list[float] = []
        bare: list[float] = []
        token = await asyncio.to_thread(token_file.read_text)
        headers = {"Authorization": f"Bearer {token.strip()}"}
        async with aiohttp.ClientSession(url, headers=headers) as client:
            body = {"input": question.model_dump(mode="json")}

            async def ask_bare() -> Any:
                path = "/v1/data/holdpoint/decision?provenance=true"
                async with client.post(path, json=body) as answer:
                    return (await answer.json())["result"]

            async def ask_ours() -> Any:
                return await engine.decide(question)

            try:
                for ask, rates in [(ask_ours, ours), (ask_bare, bare)] * ROUNDS:
                    rates.append(await _rate(ask))
                    say(f"{ask.__name__}: {rates[-1]:.0f} questions a second")
            finally:
                await engine.close()
    name = f"policy decisions, {AT_ONCE} at once"
    return [compared(name, ours, bare, better="higher", floor=0.9, unit="1/s")]


def _opa(stack: Installation) -> tuple[str, Path]:
    """Return where the stack's OPA is, and the file of its token."""
    settings = yaml.safe_load((stack.data / "settings.yaml").read_text())
    return settings["opa_url"], Path(settings["opa_token_file"])


async def _question(stack: Installation) -> PolicyInput:
    """Return what the policy was asked about a real change, by the record."""
    ticket = await stack.submit("web", key="question")
    await stack.until(ticket, "Succeeded")
    history = await stack.call("GET", f"/v1/changes/{ticket}/entries", by="auditor")
    asked = next(entry["body"]["input"] for entry in history["entries"] if entry["body"].get("input"))
    return PolicyInput.model_validate(asked)


async def _rate(ask: Callable[[], Awaitable[Any]]) -> float:
    """Return how many questions a second are answered."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await ask()

    began = time.monotonic()
    await asyncio.gather(*(one() for _ in range(DECISIONS)))
    return DECISIONS / (time.monotonic() - began)
