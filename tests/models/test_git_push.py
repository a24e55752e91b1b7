"""Where Holdpoint may push to, and with what: no token goes over a line that others can read."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from holdpoint.models.git_push import GitPush


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"repository": "http://git.example.com/e.git", "token_file": Path("t")}, "needs https"),
        ({"repository": "git@git.example.com:e.git", "token_file": Path("t")}, "ssh_key_file"),
        ({"repository": "https://git.example.com/e.git", "ssh_key_file": Path("k")}, "token_file"),
        ({"repository": "https://u:p@git.example.com/e.git"}, "a password"),
        ({"repository": "https://git.example.com/e.git", "user": "a b"}, "a user's name"),
        ({"repository": "https://git.example.com/e.git", "email": "no address>"}, "an address"),
    ],
)
def test_entry_that_cannot_be_used_says_why(entry: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GitPush.model_validate(entry)


def test_same_repository_may_be_written_with_and_without_its_end() -> None:
    one, other = (GitPush(repository=f"https://git.example.com/e{end}") for end in (".git", "/"))

    assert one.key == other.key
