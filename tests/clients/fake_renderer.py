"""A stand-in for Kustomize and Helm where they are not built: the little of each that the contract needs.

Run as `fake_renderer.py kustomize|helm ARGUMENTS`; `install` writes the programs that do so.
"""

import datetime
import json
import os
import re
import sys
import uuid
from pathlib import Path
from typing import Any

import yaml


def install(folder: Path) -> dict[str, Path]:
    """Write both programs into a folder, and return their paths."""
    programs = {}
    for name in ("kustomize", "helm"):
        program = folder / name
        command = f"exec(compile(open({__file__!r}).read(), {__file__!r}, 'exec'), {{'__name__': 'program'}})"
        program.write_text(f"#!{sys.executable} -I\nimport sys; sys.argv.insert(1, {name!r})\n{command}\n")
        program.chmod(0o755)
        programs[name] = program
    return programs


class Mistake(Exception):
    """What the program says is wrong."""


def kustomize(arguments: list[str]) -> str:
    if arguments == ["version"]:
        return "v5.0.0\n"
    return yaml.safe_dump_all(_built(Path(arguments[-1])))


def _built(folder: Path) -> list[Any]:
    overlay = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found: list[Any] = []
    for entry in overlay.get("resources") or []:
        path = folder / entry
        try:
            found += _built(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
        except yaml.YAMLError as error:
            raise Mistake(f"accumulating resources from {path}: malformed YAML") from error
    for item in found:
        item["metadata"]["name"] = overlay.get("namePrefix", "") + item["metadata"]["name"]
    return found


def helm(arguments: list[str]) -> str:
    if arguments[0] == "version":
        return "v4.0.0+g0\n"
    _, release, folder, *options = arguments
    chart = Path(folder)
    values = _files([chart / "values.yaml"]) if (chart / "values.yaml").exists() else {}
    given = [Path(options[at + 1]) for at, name in enumerate(options) if name == "--values"]
    values = _merged(values, _files(given))
    for at, name in enumerate(options):
        if name in ("--set", "--set-json", "--set-literal"):
            key, _, text = options[at + 1].partition("=")
            values = _merged(values, _nested(key, text if name == "--set-literal" else json.loads(text)))
    space = options[options.index("--namespace") + 1]
    text = ""
    for template in sorted((chart / "templates").glob("*.yaml")):
        text += f"---\n# Source: {template.name}\n" + _filled(template, values, release, space)
    return text


def _files(paths: list[Path]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for path in paths:
        whole = _merged(whole, yaml.safe_load(path.read_text()) or {})
    return whole


def _nested(key: str, value: Any) -> dict[str, Any]:
    first, _, rest = key.partition(".")
    return {first: _nested(rest, value) if rest else value}


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return {**under, **over, **both}


def _filled(template: Path, values: dict[str, Any], release: str, namespace: str) -> str:
    def fill(match: re.Match[str]) -> str:
        asked = match[1].strip()
        if asked == ".Release.Name":
            return release
        if asked == ".Release.Namespace":
            return namespace
        if asked.startswith(".Values."):
            node: Any = values
            for part in asked.removeprefix(".Values.").split("."):
                node = node.get(part) if isinstance(node, dict) else None
            return json.dumps(node).strip('"')
        if asked.startswith("required "):
            raise Mistake(f"execution error at ({template.name}): " + asked.split('"')[1])
        if asked.startswith("randAlphaNum"):
            return uuid.uuid4().hex
        if asked == 'now | date "2006-01-02"':
            return _today()
        raise Mistake(f"{template}: function {asked!r} not defined")

    return re.sub(r"\{\{(.*?)\}\}", fill, template.read_text())


def _today() -> str:
    """Return the date in the zone that the environment names, which is a file."""
    data = Path(os.environ["TZ"]).read_bytes()
    offset = int.from_bytes(data[44:48], "big", signed=True)
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=offset)
    return now.date().isoformat()


def main() -> int:
    try:
        sys.stdout.write({"kustomize": kustomize, "helm": helm}[sys.argv[1]](sys.argv[2:]))
    except Mistake as mistake:
        sys.stderr.write(f"Error: {mistake}\n")
        return 1
    return 0


if __name__ == "program":
    sys.exit(main())
