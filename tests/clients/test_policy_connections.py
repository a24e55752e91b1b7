"""Connections to OPA are kept, and given up where they may be of no more use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from holdpoint.clients.policy import OpaEngine
from tests.clients.test_policy import a_question, an_answer, http


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    return file


@pytest.fixture
async def kept_open() -> AsyncIterator[tuple[str, list[int]]]:
    """Serve a decision to every question and keep the connections; tell how many questions each brought."""
    answer = http(200, an_answer()).replace(b"Connection: close", b"Connection: keep-alive")
    questions: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        questions.append(0)
        writers.append(writer)
        connection = len(questions) - 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                questions[connection] += 1
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # the client has gone, or the test is over

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", questions
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def test_questions_share_a_connection(kept_open: tuple[str, list[int]], token: Path) -> None:
    url, questions = kept_open
    engine = OpaEngine(url, token)

    for _ in range(3):
        await engine.decide(a_question())

    assert questions == [3]


async def test_another_token_has_a_connection_of_its_own(
    kept_open: tuple[str, list[int]], token: Path
) -> None:
    url, questions = kept_open
    engine = OpaEngine(url, token)
    await engine.decide(a_question())

    await asyncio.to_thread(token.write_text, "second")
    await engine.decide(a_question())

    assert questions == [1, 1]
