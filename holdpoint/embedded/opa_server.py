"""OPA as one server of the stack; its bundle is built again when the policies change."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from holdpoint.embedded.folder import DataFolder
from holdpoint.embedded.opa import find_from
from holdpoint.embedded.policy_bundle import Bundle
from holdpoint.embedded.server import Server, http_ready
from holdpoint.models.errors import PolicyBundle

Report = Callable[[str], None]

LOOK_SECONDS = 1.0
"""How soon an edited policy is in force; reading some twenty small files takes milliseconds."""


async def obtain_opa(report: Report) -> Path:
    """Return the path of a real OPA, built first if none was found. Raises SettingsError with the way out.

    When the caller gives up, the build is ended at the next line that it would report.
    """
    given_up = False

    def say(line: str) -> None:
        if given_up:
            raise InterruptedError(line)
        report(line)

    try:
        return await asyncio.to_thread(find_from, os.environ, say)
    finally:
        given_up = True


def bundle_of(folder: DataFolder, opa: Path) -> Bundle:
    """Return the policy bundle of a data folder."""
    return Bundle(opa=opa, policies=folder.policies, folder=folder.root / "opa")


def opa_server(bundle: Bundle, ports: dict[str, int]) -> Server:
    """Return the server; it reads the bundle again by itself when the file changes."""
    return Server(
        name="opa",
        command=bundle.command(ports["opa"]),
        ready=http_ready(f"http://127.0.0.1:{ports['opa']}/health"),
    )


async def keep_bundle(bundle: Bundle, report: Report) -> None:
    """Build the bundle again whenever a policy file changes, until cancelled.

    Policies that do not compile are reported once; what was in force stays in force.
    """
    told = ""
    while True:
        await asyncio.sleep(LOOK_SECONDS)  # an editor that saves a file tells nobody
        try:
            if await asyncio.to_thread(bundle.refresh):
                report("policies changed; the new bundle is in force")
            told = ""
        except (PolicyBundle, OSError) as error:
            if str(error) != told:
                report(f"policies were not taken over: {error}")
            told = str(error)
