"""A change file on its way to the API: read and checked here first, so that a mistake needs no server."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdpoint.cli.files import STDIN, read_file
from holdpoint.models.errors import InvalidChange

if TYPE_CHECKING:
    from holdpoint.models.change import Change


@dataclass(frozen=True)
class ChangeInput:
    """The file's text, the folder that a relative repository path starts from, and its content's digest."""

    text: str
    base: str
    digest: str
    change: "Change"

    def body(self) -> dict[str, Any]:
        """Return the request's body."""
        return {"change": self.text, "base": self.base}


def read_change_file(path: Path) -> ChangeInput:
    """Return the change file. Raises BadFile, and InvalidChange whose mistakes name the file."""
    from holdpoint.service.change_file import content_digest, read_change

    raw = read_file(path)
    try:
        change = read_change(raw)
    except InvalidChange as error:
        mistakes = [{"file": str(path), **mistake} for mistake in error.detail["mistakes"]]
        raise InvalidChange(f"{path}: {error.message}", mistakes=mistakes) from error
    folder = Path.cwd() if path == STDIN else path.absolute().parent
    return ChangeInput(text=raw.decode(), base=str(folder), digest=content_digest(change), change=change)
