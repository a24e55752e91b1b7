"""Connections to OPA are kept, and given up where they may be of no more use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.test_policy import a_question, an_answer, asking, http


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first")
    return file


class KeptOpen:
    """Serves a decision to every question and keeps the connections."""

    def __init__(self) -> None:
        self.url = ""
        self.questions: list[int] = []
        """How many questions each connection brought."""
        self.asked: asyncio.Queue[int] = asyncio.Queue()
        """The connection of each question."""
        self.gone = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's questions until the client has gone, or the test is over."""
        self.questions.append(0)
        self.writers.append(writer)
        connection = len(self.questions) - 1
        answer = http(200, an_answer()).replace(b"Connection: close", b"Connection: keep-alive")
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                self.questions[connection] += 1
                self.asked.put_nowait(connection)
                await self.answers.wait()
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()


@pytest.fixture
async def kept_open() -> AsyncIterator[KeptOpen]:
    made = KeptOpen()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made
        for writer in made.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def test_questions_share_a_connection(kept_open: KeptOpen, token: Path) -> None:
    async with asking(kept_open.url, token) as engine:
        for _ in range(3):
            await engine.decide(a_question())

    assert kept_open.questions == [3]


async def test_another_token_has_a_connection_of_its_own(kept_open: KeptOpen, token: Path) -> None:
    async with asking(kept_open.url, token) as engine:
        await engine.decide(a_question())
        await asyncio.to_thread(token.write_text, "second")
        await engine.decide(a_question())

    assert kept_open.questions == [1, 1]


async def test_question_under_way_is_answered_although_the_token_changes(
    kept_open: KeptOpen, token: Path
) -> None:
    async with asking(kept_open.url, token) as engine:
        kept_open.answers.clear()
        first = asyncio.create_task(engine.decide(a_question()))
        await kept_open.asked.get()
        await asyncio.to_thread(token.write_text, "second")
        second = asyncio.create_task(engine.decide(a_question()))
        await kept_open.asked.get()
        kept_open.answers.set()

        assert (await first).approvals.count == (await second).approvals.count == 1

    assert kept_open.questions == [1, 1]


async def test_nothing_stays_open_after_a_close_and_a_question_opens_it_again(
    kept_open: KeptOpen, token: Path
) -> None:
    async with asking(kept_open.url, token) as engine:
        await engine.decide(a_question())
        await engine.close()
        await kept_open.gone.wait()

        await engine.decide(a_question())

    assert kept_open.questions == [1, 1]
