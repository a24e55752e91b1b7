"""A masked value tells whether it changed, and nothing else."""

from typing import Any

import pytest

from activities.masking import masked


def fingerprint(data: bytes) -> str:
    return f"{sum(data):06d}"


def shown(body: dict[str, Any]) -> Any:
    return masked(body, fingerprint)


def test_secrets_content_is_masked_by_key() -> None:
    body = {"kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"a": "eA==", "b": "eQ=="}}

    found = shown(body)

    assert found["data"]["a"] == f"[redacted] #{fingerprint(b'eA==')}"
    assert found["data"]["a"] != found["data"]["b"]
    assert (found["type"], found["metadata"]) == ("Opaque", {"name": "s"})


def test_equal_secrets_look_equal_and_others_do_not() -> None:
    one, same, other = ({"password": word} for word in ("hunter22", "hunter22", "hunter23"))

    assert shown(one) == shown(same) != shown(other)


def test_line_of_a_text_is_masked_and_the_others_stay() -> None:
    found = shown({"data": {"app.ini": "mode=fast\npassword=hunter22\nlevel=3"}})

    lines = found["data"]["app.ini"].split("\n")
    assert (lines[0], lines[2]) == ("mode=fast", "level=3")
    assert lines[1].startswith("password=[redacted] #")


def test_key_over_several_lines_is_masked_whole_and_its_change_is_seen() -> None:
    def text(content: str) -> dict[str, Any]:
        key = f"-----BEGIN PRIVATE KEY-----\n{content}\n-----END PRIVATE KEY-----"
        return {"data": {"tls": f"first\n{key}\nlast"}}

    one, other = shown(text("MIIEabc")), shown(text("MIIExyz"))

    assert "MIIE" not in str(one)
    assert one != other


@pytest.mark.parametrize("value", [12345, ["a", "b"], 1.5], ids=["number", "list", "float"])
def test_value_that_is_no_text_is_masked_too(value: Any) -> None:
    assert str(shown({"password": value})["password"]).startswith("[redacted] #")


def test_what_is_no_secret_stays_as_it_is() -> None:
    body = {"spec": {"replicas": 3, "paused": False, "args": ["--fast", None], "template": {}}}

    assert shown(body) == body


def test_copy_that_kubectl_keeps_is_dropped() -> None:
    notes = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"eA=="}}', "team": "shop"}

    assert shown({"metadata": {"annotations": notes}}) == {"metadata": {"annotations": {"team": "shop"}}}
