"""The idempotency key of a submission: in CI the run and its attempt with the content, else the content."""

from collections.abc import Mapping

_PROVIDERS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    # provider, the variable that marks it, what names the run, what names the attempt
    ("github", "GITHUB_ACTIONS", ("GITHUB_RUN_ID",), ("GITHUB_RUN_ATTEMPT",)),
    ("gitlab", "GITLAB_CI", ("CI_PIPELINE_ID",), ("CI_JOB_ID",)),
    ("buildkite", "BUILDKITE", ("BUILDKITE_BUILD_ID",), ("BUILDKITE_JOB_ID", "BUILDKITE_RETRY_COUNT")),
    ("jenkins", "JENKINS_URL", ("BUILD_TAG",), ()),
    ("circleci", "CIRCLECI", ("CIRCLE_WORKFLOW_ID",), ("CIRCLE_WORKFLOW_JOB_ID",)),
    ("azure", "TF_BUILD", ("SYSTEM_COLLECTIONID", "BUILD_BUILDID"), ("SYSTEM_JOBID", "SYSTEM_JOBATTEMPT")),
)
LONGEST_PART = 64
"""Characters of a variable that go into the key; the API takes 255 in all."""


def idempotency_key(content: str, environment: Mapping[str, str]) -> str:
    """Return the key for content of this digest (`sha256:<hex>`), submitted from this environment.

    In CI a retry of the same attempt joins its ticket, even a closed one; a new attempt makes a new one. A
    key `content:` tells the server to derive it, so that only an open ticket is joined.
    """
    sha = content.removeprefix("sha256:")
    for provider, mark, run, attempt in _PROVIDERS:
        if environment.get(mark) and all(environment.get(name) for name in run):
            parts = (_joined(run, environment), _joined(attempt, environment) or "1", sha)
            return ":".join(("ci", provider, *parts))
    return f"content:{sha}"


def _joined(names: tuple[str, ...], environment: Mapping[str, str]) -> str:
    values = (environment[name] for name in names if environment.get(name))
    return ".".join("".join(c if "!" <= c <= "~" else "_" for c in value)[:LONGEST_PART] for value in values)
