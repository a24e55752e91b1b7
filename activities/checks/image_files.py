"""What the checks of images have in common: which images, and the files that are kept for their digests.

No registry is asked. A file is named as cosign names the tag of what belongs to an image: `sha256-<hex>`
with a suffix. It lies in a folder of the repository, read at the change's commit, or in that of the settings.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.checks.kind import Found, Means, Scene
from activities.manifests import images, load_whole
from holdpoint.models.errors import InvalidChange, StepConfig, UpstreamUnavailable

LARGEST = 16 * 1024 * 1024
"""Bytes of one file; a report of ten thousand findings has some 12 MiB."""

MOST_LINES = 50
"""Signatures or attestations of one image: more are no honest file."""

_PINNED = re.compile(r"(?P<name>[^@]+)@(?P<digest>sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Image:
    """One image of the change: its name without tag and digest, and its digest."""

    name: str
    digest: str

    @property
    def hex(self) -> str:
        """Return the digest's 64 hex digits."""
        return self.digest.removeprefix("sha256:")

    @property
    def short(self) -> str:
        """Return the image as messages name it."""
        return f"{self.name}@{self.digest[:19]}"


async def images_of(scene: Scene, only: list[str]) -> list[Image]:
    """Return the images of the change, or those named `only`. Raises StepConfig for what is not pinned."""
    loaded = await load_whole(scene.repositories, scene.stored)
    found, loose = dict[Image, None](), []
    for text in images(loaded.all):
        pinned = _PINNED.fullmatch(text)
        name = _bare(pinned["name"] if pinned else text)
        if only and name not in only:
            continue
        if pinned is None:
            loose.append(text)
        else:
            found[Image(name, pinned["digest"])] = None
    if loose:
        raise StepConfig(f"Not pinned to a digest, so nobody can tell what it is: {', '.join(loose[:5])}.")
    if missing := sorted(set(only) - {image.name for image in found}):
        raise StepConfig(f"The change has no image {missing[0]}.")
    if not found:
        raise StepConfig("The change has no image.")
    return list(found)


def _bare(name: str) -> str:
    """Return an image's name without its tag; a colon before the last slash is a port."""
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


async def judged(
    scene: Scene, only: list[str], folder: str | None, suffix: str, judge: Callable[[Image, bytes], Found]
) -> Found:
    """Return what `judge` says of the file of each image: one that has not passed is enough to fail."""
    found: dict[Image, Found] = {}
    for image in await images_of(scene, only):
        try:
            data = await _file(scene, folder, f"sha256-{image.hex}{suffix}")
        except StepConfig as error:
            found[image] = Found(False, error.message)
        else:
            # A large report takes a while to parse; others' heartbeats must not wait for it.
            found[image] = await asyncio.to_thread(judge, image, data)
    answer = {"images": {f"{image.name}@{image.digest}": one.answer for image, one in found.items()}}
    said = [(image, one) for image, one in found.items() if not one.passed] or list(found.items())
    message = " ".join(f"{image.short}: {one.message}" for image, one in said[:5])
    return Found(all(one.passed for one in found.values()), message, answer)


def no_files(folder: str | None, means: Means) -> str | None:
    """Return why there is nowhere to look for files, or None."""
    if folder is None and means.files is None:
        return "it names no folder, and the settings have no check_files."
    return None


def lines_of(data: bytes) -> list[dict[str, Any]]:
    """Return the objects of a file with one JSON object on each line, as cosign prints them.

    Raises ValueError.
    """
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise ValueError(f"has {len(lines)} lines, allowed are {MOST_LINES}")
    return [object_of(line) for line in lines]


def object_of(data: bytes) -> dict[str, Any]:
    """Return the one JSON object that the bytes are. Raises ValueError."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    return found


async def _file(scene: Scene, folder: str | None, name: str) -> bytes:
    """Return one file. Raises StepConfig when there is none, UpstreamUnavailable when nobody can tell."""
    if folder is None:
        return await asyncio.to_thread(_kept, scene.means.files, name)
    path = name if folder == "." else f"{folder.rstrip('/')}/{name}"
    stored = scene.stored
    try:
        return await scene.repositories.read(stored.repository, stored.commit, path)
    except InvalidChange as error:
        raise StepConfig(f"There is no file {path} at commit {stored.commit[:12]}.") from error


def _kept(folder: Path | None, name: str) -> bytes:
    if folder is None:
        raise StepConfig("The settings have no check_files.")
    try:
        with (folder / name).open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise StepConfig(f"There is no file {name} in check_files.") from error
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UpstreamUnavailable(f"check_files cannot be read: {why}.", upstream="git") from error
    if len(data) > LARGEST:
        raise StepConfig(f"The file {name} in check_files is larger than {LARGEST} bytes.")
    return data
