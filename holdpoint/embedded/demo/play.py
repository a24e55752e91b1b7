"""The whole demo: set the stage, play the scenarios, take the evidence, draw the table."""

import asyncio
import json
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from holdpoint.embedded.demo import shop
from holdpoint.embedded.demo.command_line import CommandLine, Failed
from holdpoint.embedded.demo.narrator import Narrator
from holdpoint.embedded.demo.scenarios import ALONE, TOGETHER, Outcome, Scenario, Stage

NOTHING_TWICE = "nothing applied twice"
PROVED_IN = "(f)"
"""The proof is over every write of the demo; the scenario that could break it is the killed worker's."""

REQUESTS_A_SECOND = 5000
"""At each service. What is never bad passes after some 750 requests to the canary, where at most 1 % may
fail; a demo does not wait for so many at the sandbox's 200 a second."""
WIDTH = 120
"""Columns of the table where there is no terminal to ask."""

ACCOUNTS = ("ci", "approver", "approver2", "sre", "commander", "auditor")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    scenario: str
    expected: str
    got: str
    seconds: float

    @property
    def good(self) -> bool:
        """Tell whether it came out as expected."""
        return self.got == self.expected

    def with_proof(self, proved: str) -> "Row":
        """Return this with what the proof over all scenarios came to."""
        return Row(self.scenario, f"{self.expected}, {NOTHING_TWICE}", f"{self.got}, {proved}", self.seconds)


class Demo:
    """One run of the demo in a folder of its own."""

    def __init__(self, folder: Path, narrator: Narrator) -> None:
        self._folder, self._narrator = folder, narrator
        self._data = folder / "data"
        self._line = CommandLine(self._data, folder)

    async def run(self, *, keep: bool) -> bool:
        """Play everything; return whether all came out as expected."""
        try:
            await self._set_the_stage()
            rows = await self._play_all()
        finally:
            if not keep:
                self._narrator.heading("Stopping the stack")
                await self._line.run("down", expect=None)
        self._show(rows)
        if keep:
            self._narrator.say(
                f"It is still up. Look at it: holdpoint list --data {shlex.quote(str(self._data))}"
            )
            self._narrator.say(f"First: holdpoint login --as ci --data {shlex.quote(str(self._data))}")
            self._narrator.say(f"Stop it: holdpoint down --data {shlex.quote(str(self._data))}")
        return all(row.good for row in rows)

    async def _set_the_stage(self) -> None:
        """Start a fresh stack, and bring the first release of each service to the cluster with it."""
        self._narrator.heading("Starting Holdpoint: Temporal, OPA, the sandbox cluster, API and worker")
        if self._data.exists():
            await self._line.run("down", expect=None)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._data.mkdir(parents=True, mode=0o700)
        (self._data / "catalog.yaml").write_text(shop.catalog())
        repository = shop.make_repository(self._folder)
        await self._line.run("up", "--detach", hear=self._progress)
        await self._line.log_in(*ACCOUNTS)
        await self._line.run("sandbox", "behave", "--image", "*", "--rps", str(REQUESTS_A_SECOND))
        self._narrator.heading(f"Release {shop.FIRST} of the shop in {repository} goes to the cluster")
        await asyncio.gather(*(self._first_release(service) for service in shop.SERVICES))

    async def _progress(self, line: str) -> None:
        self._narrator.say(line)

    async def _first_release(self, service: str) -> None:
        file = shop.write_change(self._folder, service, revision=shop.FIRST, canary=False)
        done = await self._line.run("submit", file.name, "--wait", by="ci")
        self._narrator.say(f"{service} {shop.FIRST}: {done.document['phase']}", who="(first)")

    async def _play_all(self) -> list[Row]:
        self._narrator.heading("Five changes at once, each of a service of its own")
        self._announce(TOGETHER)
        rows = list(await asyncio.gather(*(self._play(scenario) for scenario in TOGETHER)))
        for scenario in ALONE:
            self._narrator.heading("One that disturbs everything, so it has the stage for itself")
            self._announce([scenario])
            rows.append(await self._play(scenario))
        proved = await self._nothing_twice()
        return [row.with_proof(proved) if row.scenario.startswith(PROVED_IN) else row for row in rows]

    def _announce(self, scenarios: Sequence[Scenario]) -> None:
        for scenario in scenarios:
            self._narrator.say(scenario.title, who=f"({scenario.name}) {scenario.service}")

    async def _play(self, scenario: Scenario) -> Row:
        began = time.monotonic()
        stage = Stage(scenario.name, scenario.service, self._line, self._folder, self._narrator)
        try:
            outcome = await scenario.play(stage)
        except (Failed, KeyError, TimeoutError) as error:
            outcome = Outcome(f"broke: {error}", "")
        seconds = time.monotonic() - began
        got = outcome.got
        if outcome.ticket:
            problems = await self._evidence(scenario, outcome.ticket)
            got = f"{got}; evidence: {'; '.join(problems)}" if problems else got
        stage.say(f"=> {got}")
        return Row(f"({scenario.name}) {scenario.title}", scenario.expected, got, round(seconds, 1))

    async def _evidence(self, scenario: Scenario, ticket: str) -> list[str]:
        """Export the ticket's evidence and verify it offline; return what is wrong with it."""
        file = self._folder / "evidence" / f"{scenario.name}.json"
        file.parent.mkdir(exist_ok=True)
        key = self._data / "keys" / "ledger.pub"
        try:
            await self._line.run("audit", "export", ticket, "-o", str(file), by="auditor")
            done = await self._line.run("audit", "verify", str(file), "--key", str(key), expect=None)
        except Failed as error:
            return [str(error)]
        return [str(problem) for problem in done.document["problems"]]

    async def _nothing_twice(self) -> str:
        """Join the cluster's request log with the record's intents, those of the killed worker among them."""
        self._narrator.heading("The proof: the cluster's own request log against the intents of the record")
        file = str(self._folder / "evidence" / "all.json")
        log, key = str(self._data / "sandbox" / "audit.jsonl"), str(self._data / "keys" / "ledger.pub")
        try:
            await self._line.run("audit", "export", "--all", "-o", file, by="auditor")
            compare = ("audit", "reconcile", "--kube-audit", log, "--record", file, "--key", key)
            ended = await self._line.run(*compare, expect=None)
        except Failed as error:
            return f"not proved: {error}"
        done = ended.document
        if "findings" not in done:
            return f"not proved: {done.get('detail', ended.said)}"
        found = done["findings"]
        for finding in found:
            self._narrator.say(f"{finding['code']}: {finding['message']}")
        self._narrator.say(f"{done['writes']} writes were accepted by the cluster, {len(found)} objections")
        proved = done["clean"] and done["writes"] > 0
        return NOTHING_TWICE if proved else f"{len(found)} objections in {done['writes']} writes"

    def _show(self, rows: list[Row]) -> None:
        table = Table(title="What was expected, and what came of it", title_justify="left")
        for column in ("", "scenario", "expected", "got", "seconds"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(
                "ok" if row.good else "FAILED", row.scenario, row.expected, row.got, f"{row.seconds}"
            )
        Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH).print(table)
        summary = self._folder / "summary.json"
        fields = ("scenario", "expected", "got", "seconds")
        summary.write_text(
            json.dumps([{name: getattr(row, name) for name in fields} for row in rows], indent=2)
        )
        self._narrator.say(f"summary: {summary}; evidence: {self._folder / 'evidence'}")
