"""Kustomize and Helm: the real programs, run on files of one commit and on nothing else.

What they say is wrong is the change's mistake.
"""

import json
import re
import shutil
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

from holdpoint.clients import chart_schema
from holdpoint.clients.renderer_process import Program, run
from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.source import Helm

ZONES = (14 * 3600 - 1283, -(12 * 3600) + 617)
"""Two time zones, in seconds, in which no date, hour or minute is the same: a chart that prints the time does
not render the same in both."""

NOWHERE = Path("/nonexistent")
"""A home for programs that need none."""

KUSTOMIZE = Program("Kustomize", "kustomize", ("version",), 5)
HELM = Program("Helm", "helm", ("version", "--short"), 4)


class Renderers:
    """The renderers of this machine: those that the settings name, else those on the search path.

    They are looked for when they are needed, so that one that is put in its place later is found. Methods
    block, and raise ValueError with one line about what is wrong with the files, and UpstreamUnavailable
    where the program is missing or did not come to an end.
    """

    def __init__(
        self, *, kustomize: Path | None = None, helm: Path | None = None, search_path: str | None = None
    ) -> None:
        self._named = {KUSTOMIZE.name: kustomize, HELM.name: helm}
        self._search_path = search_path
        self._versions: dict[tuple[Path, int, int], str] = {}

    def version(self, program: Program) -> str:
        """Return the version of a program, for what is remembered of its answers."""
        return self._found(program)[1]

    def kustomize(self, root: Path, folder: str) -> bytes:
        """Return what Kustomize builds of a folder below `root`."""
        binary, _ = self._found(KUSTOMIZE)
        command = [str(binary), "build", "--load-restrictor", "LoadRestrictionsRootOnly", str(root / folder)]
        # A ConfigMap may be made of variables: what they hold must be the same everywhere.
        return run(KUSTOMIZE, command, root=root, home=NOWHERE)

    def helm(self, root: Path, helm: Helm, *, release: str, namespace: str) -> bytes:
        """Return what Helm makes of a chart below `root`. A chart that is not the same twice is refused."""
        binary, _ = self._found(HELM)
        chart = root / helm.chart
        chart_schema.check(chart)
        with tempfile.TemporaryDirectory(prefix="holdpoint-helm-") as folder:
            home = Path(folder)
            command = [str(binary), *_template(root, helm, release, namespace)]
            first, second = (_zone(home, offset) for offset in ZONES)
            once = run(HELM, command, root=root, home=home, zone=first)
            if _tells_time(chart):
                time.sleep(1.0 - time.time() % 1.0)  # a chart may print seconds: the next one must have begun
            again = run(HELM, command, root=root, home=home, zone=second)
        if once != again:
            raise ValueError(_not_the_same(once, again))
        return once

    def _found(self, program: Program) -> tuple[Path, str]:
        """Return the binary and its version. Raises UpstreamUnavailable that says what to do."""
        named = self._named[program.name]
        found = named or shutil.which(program.name, path=self._search_path)
        if found is None:
            raise UpstreamUnavailable(
                f"{program.title} is not installed. {program.way_out}", upstream=program.name
            )
        binary = Path(found).absolute()
        try:
            facts = binary.stat()
        except OSError as error:
            raise UpstreamUnavailable(
                f"{program.title} cannot be run: {binary} is missing. {program.way_out}",
                upstream=program.name,
            ) from error
        key = binary, facts.st_mtime_ns, facts.st_size
        if key not in self._versions:
            self._versions[key] = _version(program, binary)
        return binary, self._versions[key]


def _version(program: Program, binary: Path) -> str:
    try:
        said = run(program, [str(binary), *program.version], root=Path(tempfile.gettempdir()), home=NOWHERE)
    except ValueError as error:
        said = str(error).encode()
    match = re.search(rb"v(\d+)\.\d[0-9A-Za-z.+-]*", said)
    if match is None or int(match[1]) != program.major:
        words = said.decode("utf-8", "replace").strip()[:80]
        raise UpstreamUnavailable(
            f"{binary} is not {program.title} {program.major}: it says {words!r}. {program.way_out}",
            upstream=program.name,
        )
    return match[0].decode()


def _template(root: Path, helm: Helm, release: str, namespace: str) -> list[str]:
    """Return the arguments of `helm template`. Hooks are printed, for whoever reads them to judge."""
    command = ["template", release, str(root / helm.chart), "--namespace", namespace]
    command += ["--dry-run=client", "--skip-tests"]
    for path in helm.values:
        command += ["--values", str(root / path)]
    for key, value in helm.set.items():
        command += _single(key, value)
    if helm.kubeVersion is not None:
        command += ["--kube-version", helm.kubeVersion]
    for version in helm.apiVersions:
        command += ["--api-versions", version]
    return command


def _single(key: str, value: Any) -> list[str]:
    """Return the arguments that set one value: a number stays one, and a text is taken as it stands.

    In a values file a large number would be printed with an exponent.
    """
    if isinstance(value, str):
        return ["--set-literal", f"{key}={value}"]
    if isinstance(value, float):
        return ["--set-json", f"{key}={json.dumps(value)}"]
    return ["--set", f"{key}={json.dumps(value)}"]


def _zone(home: Path, offset: int) -> str:
    """Return a file with a time zone of this offset in seconds (RFC 9636, version 1)."""
    file = home / f"zone{offset}"
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    file.write_bytes(b"TZif" + bytes(16) + counts + struct.pack(">lBB", offset, 0, 0) + b"ZZZ\0")
    return str(file)


def _tells_time(chart: Path) -> bool:
    """Tell whether a template may ask for the time; what is packed is not looked into."""
    return any(
        file.suffix in (".tgz", ".gz") or b"now" in file.read_bytes()
        for file in chart.rglob("*")
        if file.is_file() and ("templates" in file.parts or "charts" in file.parts)
    )


def _not_the_same(once: bytes, again: bytes) -> str:
    lines = zip(once.splitlines(), again.splitlines(), strict=False)
    line = next((one for one, other in lines if one != other), b"").decode("utf-8", "replace").strip()
    shown = re.split(r"[:=]", line)[0][:80]
    return (
        f"the chart does not render the same twice (at {shown!r}): what is approved would not be what runs. "
        "Give the values that it makes up (random text, certificates, the time) in a values file"
    )
