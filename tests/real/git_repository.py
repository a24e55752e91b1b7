"""A repository where the Git server of the stack looks: a commit on main and a tag for each release."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def make_repository(git: Mapping[str, Any], name: str, releases: Iterable[Mapping[str, str]]) -> str:
    """Make a bare repository and return its address; a release is its files by their paths."""
    bare = Path(git["repositories"]) / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(bare)], check=True)
    told = "".join(_release(number, files) for number, files in enumerate(releases, start=1))
    command = ["git", f"--git-dir={bare}", "fast-import", "--quiet"]
    subprocess.run(command, input=told.encode(), check=True)
    return f"{git['url']}/{name}.git"


def know_password(git: Mapping[str, Any], folder: Path) -> None:
    """Leave `gitconfig` in the folder, with which Git knows the server's password."""
    password = Path(git["password_file"]).read_text()
    store = folder / "git-credentials"
    store.write_text(f"http://{git['user']}:{password}@{urlsplit(git['url']).netloc}\n")
    (folder / "gitconfig").write_text(f"[credential]\n\thelper = store --file={store}\n")


def _release(number: int, files: Mapping[str, str]) -> str:
    """Return one release as `git fast-import` reads it."""
    who = "Sam Shopkeeper <sam@shop.example> 1700000000 +0000"
    told = f"commit refs/heads/main\ncommitter {who}\n{_data(f'Release v{number}')}"
    told += "".join(f"M 644 inline {path}\n{_data(text)}" for path, text in files.items())
    return told + f"reset refs/tags/v{number}\nfrom refs/heads/main\n\n"


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"
