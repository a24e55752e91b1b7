"""What a change may state of an HTTP request has one reading, and holds no secret."""

import pytest

from holdpoint.models.http_names import (
    LARGEST_BODY,
    check_body,
    check_expected,
    check_headers,
    check_http_url,
    check_prefix,
    covers,
    masked_url,
    split_url,
)


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://flags.example", "https://flags.example", "/"),
        ("https://Flags.Example:443/API/x", "https://flags.example", "/API/x"),
        ("http://flags.example:8080/a?dry=1", "http://flags.example:8080", "/a"),
        ("https://192.0.2.7/a", "https://192.0.2.7", "/a"),
        ("https://[2001:DB8::7]:8443/a", "https://[2001:db8::7]:8443", "/a"),
        ("https://xn--bcher-kva.example/%C3%BC", "https://xn--bcher-kva.example", "/%C3%BC"),
    ],
)
def test_a_plain_url_is_taken_apart(url: str, origin: str, path: str) -> None:
    parts = split_url(url)

    assert (parts.origin, parts.path) == (origin, path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://flags.example/", "must begin with https:// or http://"),
        ("HTTPS://flags.example/", "must begin with https:// or http://"),
        ("file:///etc/passwd", "must begin with https:// or http://"),
        ("//flags.example/", "must begin with https:// or http://"),
        ("https://anna:pw@flags.example/", "must not hold a user"),
        ("https://flags.example@127.0.0.1/", "must not hold a user"),
        ("https://flags.example/#top", "must not have a fragment"),
        ("https://flags.example/a b", "printable ASCII"),
        ("https://flags.example/\r\nX-A: b", "printable ASCII"),
        ("https://flags.example/\x00", "printable ASCII"),
        ("https://flags.example\\@127.0.0.1/", "printable ASCII"),
        ("https://flags.example/ü", "printable ASCII"),
        ("https://①②⑦.0.0.1/", "printable ASCII"),
        ("https://" + "a" * 2000, "at most 2000 characters"),
        ("https://flags.example:0/", "must be a URL such as"),
        ("https://flags.example:65536/", "must be a URL such as"),
        ("https://flags.example:8x/", "must be a URL such as"),
        ("https:///path", "must be a URL such as"),
        ("https://[fe80::1%25eth0]/", "must be a URL such as"),
        ("https://flags.example./", "without a dot at its end"),
        ("https://-flags.example/", "must have a host name"),
        ("https://a..b/", "must have a host name"),
        ("https://flags.example/a/../b", "in its path"),
        ("https://flags.example/a/./b", "in its path"),
        ("https://flags.example/a/..;x/b", "in its path"),
        ("https://flags.example/a//b", "in its path"),
        ("https://flags.example/%2e%2e/b", "escaped dot"),
        ("https://flags.example/a%2Fb", "escaped dot, slash"),
        ("https://flags.example/a%5cb", "escaped dot"),
        ("https://flags.example/a%252e", "percent"),
        ("https://flags.example/a%00", "control character"),
        ("https://flags.example/a%zz", "escapes nothing"),
        ("https://flags.example/?token=abc", "must not hold a secret ('token' in its query)"),
        ("https://flags.example/?a=1&api%5Fkey=abc", "must not hold a secret ('api_key' in its query)"),
    ],
)
def test_a_url_with_another_reading_or_a_secret_is_refused_and_says_why(url: str, said: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        check_http_url(url)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001"),
        *("127.0.0.01", "127.0.0.256", "127.0.0.1.", "1.2.3.4.5", "[::ffff:127.0.0.1%25lo]", "[127.0.0.1]"),
    ],
)
def test_an_odd_spelling_of_an_address_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_http_url(f"http://{host}/")


@pytest.mark.parametrize(
    ("prefix", "url", "covered"),
    [
        ("https://a.example", "https://a.example/x", True),
        ("https://a.example/api", "https://a.example/api", True),
        ("https://a.example/api", "https://a.example/api/x?y=1", True),
        ("https://a.example/api/", "https://a.example/api/x", True),
        ("https://a.example/api", "https://a.example/apis", False),
        ("https://a.example/api", "https://a.example/API/x", False),
        ("https://a.example/api/", "https://a.example/api", False),
        ("https://a.example", "http://a.example/", False),
        ("https://a.example", "https://a.example:8443/", False),
        ("https://a.example", "https://a.example.evil.example/", False),
        ("https://a.example", "https://b.a.example/", False),
    ],
)
def test_a_prefix_covers_what_lies_below_it(prefix: str, url: str, covered: bool) -> None:
    assert covers(split_url(prefix), split_url(url)) is covered


def test_a_prefix_has_no_query() -> None:
    with pytest.raises(ValueError, match="must not have a query"):
        check_prefix("https://a.example/api?x=1")


def test_a_url_that_is_shown_has_its_secrets_masked() -> None:
    url = "https://a.example/x?sig=ghp_" + "a" * 30

    assert masked_url(url) == "https://a.example/x?sig=[redacted]"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Authorization": "Bearer x"}, "must not hold a secret (Authorization)"),
        ({"X-Api-Key": "x"}, "must not hold a secret (X-Api-Key)"),
        ({"cookie": "a=b"}, "must not hold a secret (cookie)"),
        ({"X-Team": "Bearer abcdefghijkl"}, "must not hold a secret (the value of X-Team)"),
        ({"Host": "b.example"}, "must not set Host"),
        ({"Content-Length": "3"}, "must not set Content-Length"),
        ({"Transfer-Encoding": "chunked"}, "must not set Transfer-Encoding"),
        ({"X-Forwarded-For": "127.0.0.1"}, "must not set X-Forwarded-For"),
        ({"X-HTTP-Method-Override": "DELETE"}, "must not set X-HTTP-Method-Override"),
        ({"idempotency-key": "1"}, "must not set Idempotency-Key"),
        ({"Holdpoint-Intent": "1"}, "must not set Holdpoint-Intent"),
        ({"X-A": "a\r\nHost: b"}, "must give X-A 1 to 1000 printable"),
        ({"X-A": "ü"}, "must give X-A 1 to 1000 printable"),
        ({"X-A": ""}, "must give X-A 1 to 1000 printable"),
        ({"X-A": "a" * 1001}, "must give X-A 1 to 1000 printable"),
        ({"X A": "a"}, "'X A' is none"),
        ({"": "a"}, "'' is none"),
        ({"X-A\r\nB": "a"}, "is none"),
        ({"X-A": "1", "x-a": "2"}, "x-a is there twice"),
    ],
)
def test_a_header_that_may_not_be_stated_is_named(headers: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        check_headers(headers)

    assert said in str(refused.value)


def test_plain_headers_may_be_stated() -> None:
    headers = {"Content-Type": "application/json", "X-Team": "shop", "If-Match": '"7"', "Accept": "*/*"}

    assert check_headers(headers) == headers


@pytest.mark.parametrize("body", [{"a": [1, 2.5, None, True, "ü"]}, "plain", 0, False, [], {}])
def test_a_body_is_any_json_value_or_a_text(body: object) -> None:
    assert check_body(body) == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"a": float("nan")}, "numbers that JSON carries exactly"),
        ({"a": 2**53}, "numbers that JSON carries exactly"),
        ([10.0**300], "numbers that JSON carries exactly"),
        ({1: "a"}, "must be JSON"),
        ({"a": object()}, "must be JSON"),
        ("\ud800", "UTF-8"),
        ({"\ud800": 1}, "UTF-8"),
        ("a" * (LARGEST_BODY + 1), "64 KiB"),
        (["ü" * (LARGEST_BODY // 2)], "64 KiB"),
    ],
)
def test_a_body_that_cannot_be_sent_as_written_is_refused(body: object, said: str) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        check_body(body)

    assert said in str(refused.value)


@pytest.mark.parametrize("statuses", [[302], [500], [429], [101], [400], [200, 200]])
def test_what_may_mean_that_nothing_was_done_is_not_to_be_expected(statuses: list[int]) -> None:
    with pytest.raises(ValueError, match="must"):
        check_expected(statuses)
