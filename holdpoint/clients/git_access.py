"""The credentials of one repository, handed to Git so that they stand in no argument, no variable and no log.

Git asks a helper of one line, which reads the token from its file when it is wanted. Only the file's path is
in Git's environment.
"""

import shlex
from dataclasses import dataclass

from holdpoint.models.errors import UpstreamUnavailable
from holdpoint.models.git_push import GitPush

_HELPER = (
    '!f() { test "$1" = get || exit 0; '
    'printf \'username=%s\\npassword=%s\\n\' "$HOLDPOINT_GIT_USER" "$(cat "$HOLDPOINT_GIT_TOKEN_FILE")"; }; f'
)
NAME = "Holdpoint"


@dataclass(frozen=True)
class Access:
    """How Git gets to a repository; without settings for it, as Git itself knows."""

    given: GitPush | None = None

    def settings(self) -> list[tuple[str, str]]:
        """Return Git settings for whatever asks the remote. Raises UpstreamUnavailable without the file."""
        if self.given is None or self.given.token_file is None:
            return []
        try:
            self.given.token_file.read_bytes()
        except OSError as error:
            raise UpstreamUnavailable(
                f"The token for {self.given.repository} cannot be read: {error}.", upstream="git"
            ) from error
        # The empty one takes away those of Git's own configuration: no other user is tried.
        return [("credential.helper", ""), ("credential.helper", _HELPER)]

    @property
    def environment(self) -> dict[str, str]:
        """Return variables for whatever asks the remote."""
        if self.given is None:
            return {}
        found = {}
        if self.given.token_file is not None:
            found["HOLDPOINT_GIT_USER"] = self.given.user
            found["HOLDPOINT_GIT_TOKEN_FILE"] = str(self.given.token_file)
        if self.given.ssh_key_file is not None:
            key = shlex.quote(str(self.given.ssh_key_file))
            found["GIT_SSH_COMMAND"] = (
                f"ssh -oBatchMode=yes -oConnectTimeout=15 -oIdentitiesOnly=yes -i {key}"
            )
        return found

    @property
    def identity(self) -> dict[str, str]:
        """Return whose commits they are."""
        email = GitPush.model_fields["email"].default if self.given is None else self.given.email
        roles = ("AUTHOR", "COMMITTER")
        return {
            f"GIT_{role}_{what}": value
            for role in roles
            for what, value in (("NAME", NAME), ("EMAIL", email))
        }
