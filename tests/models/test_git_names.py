"""What Git may be given: nothing that it reads as an option, a command, or a way out of the repository."""

from collections.abc import Callable

import pytest

from holdpoint.models.git_names import check_git_host, check_path, check_repository, check_revision

GOOD: list[tuple[Callable[[str], str], str]] = [
    (check_repository, "./podinfo"),
    (check_repository, "../other repo"),
    (check_repository, "/srv/git/shop.git"),
    (check_repository, "https://example.com/shop.git"),
    (check_repository, "ssh://git@example.com:2222/shop.git"),
    (check_repository, "git@example.com:team/shop.git"),
    (check_repository, "file:///srv/git/shop.git"),
    (check_revision, "6.14.1"),
    (check_revision, "v1.0.0+build.7"),
    (check_revision, "release/2027-01"),
    (check_revision, "@scope/shop@1.2.3"),
    (check_revision, "HEAD"),
    (check_revision, "a" * 40),
    (check_path, "kustomize/deployment.yaml"),
    (check_path, "./deploy"),
    (check_path, "a b/..c/d.yaml"),
]

HOSTILE: list[tuple[Callable[[str], str], str]] = [
    (check_repository, "--upload-pack=touch /tmp/x"),
    (check_repository, "-x"),
    (check_repository, "ext::sh -c touch% /tmp/x"),
    (check_repository, "fd::17"),
    (check_repository, "ssh://-oProxyCommand=x/shop"),
    (check_repository, "ssh://git@-oProxyCommand=x/shop"),
    (check_repository, "ssh://-oProxyCommand=x@example.com/shop"),
    (check_repository, "ssh://%2DoProxyCommand=x/shop"),
    (check_repository, "ssh://example.com/-x"),
    (check_repository, "ssh://example.com/x\n--upload-pack=y"),
    (check_repository, "-oProxyCommand=x@example.com:shop"),
    (check_repository, "example.com:shop"),
    (check_repository, "git@example.com:-x"),
    (check_repository, "git@example.com::ext"),
    (check_repository, "gopher://example.com/shop"),
    (check_repository, "https:///shop"),
    (check_repository, "https://[::1/shop"),
    (check_repository, "https://user:secret@example.com/shop"),
    (check_repository, "https://example.com:99999/shop"),
    (check_repository, "https://example.com:-1/shop"),
    (check_repository, "https://exa mple.com/shop"),
    (check_repository, "./shop\n"),
    (check_repository, "./shop\x1b[2J"),
    (check_revision, "--upload-pack=x"),
    (check_revision, "-x"),
    (check_revision, "main\n"),
    (check_revision, "main\n--x"),
    (check_revision, "main..other"),
    (check_revision, "main^{/x}"),
    (check_revision, "@{-1}"),
    (check_revision, "@"),
    (check_revision, "main~1"),
    (check_revision, "a/.b"),
    (check_revision, "a.lock/b"),
    (check_revision, "a//b"),
    (check_revision, ":/message"),
    (check_revision, "a b"),
    (check_revision, ""),
    (check_path, "../secret"),
    (check_path, "a/../../secret"),
    (check_path, "/etc/passwd"),
    (check_path, "."),
    (check_path, "./"),
    (check_path, "-x"),
    (check_path, ":(top)secret"),
    (check_path, "a\\..\\b"),
    (check_path, ".git/config"),
    (check_path, "sub/.GIT/config"),
    (check_path, "deploy/*.yaml"),
    (check_path, "a\n"),
]


@pytest.mark.parametrize(("check", "value"), GOOD, ids=[f"{c.__name__}:{v}" for c, v in GOOD])
def test_a_name_that_git_takes_for_what_it_is_passes(check: Callable[[str], str], value: str) -> None:
    assert check(value) == value


@pytest.mark.parametrize(("check", "value"), HOSTILE, ids=[f"{c.__name__}:{v!a}" for c, v in HOSTILE])
def test_a_name_that_git_could_take_for_something_else_is_refused(
    check: Callable[[str], str], value: str
) -> None:
    with pytest.raises(ValueError, match=r"must|may|scheme|host|URL"):
        check(value)


@pytest.mark.parametrize("address", ["git://host/x", "https:///x", "ssh://-oProxyCommand=x/y"])
def test_a_refusal_says_what_must_be(address: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        check_repository(address)


@pytest.mark.parametrize(
    "entry",
    ["https://git.example.com", "git.example.com/team", "*", "a.*.com", "git.example.com:0", "a b", ""],
)
def test_an_entry_of_git_hosts_that_names_no_server_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"must be a host such as git\.example\.com"):
        check_git_host(entry)
