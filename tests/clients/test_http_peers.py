"""Who may be asked over HTTP, and that the connection goes to the address that was looked at."""

import datetime
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdpoint.clients.http_peers import Peers
from holdpoint.clients.http_wire import LARGEST_ANSWER, NoAnswer, NotSent, Outgoing
from holdpoint.models.errors import StepConfig
from holdpoint.models.http_settings import HttpAllowed, HttpCredential
from tests.http_server import Reply, Server, a_server

PUBLIC = "93.184.215.14"


class Names:
    """A resolver that answers `answers` in turn, and the last of them for ever; `asked` are the names."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with a_server() as made:
        yield made


def allowing(url: str, *, private: bool = True, names: Names | None = None, **more: Any) -> Peers:
    """Return peers of one entry; without `names` every name leads to this machine."""
    credentials = more.pop("known", {})
    entry = HttpAllowed(url=url, private=private, credentials=sorted(credentials), **more)
    return Peers([entry], credentials, resolver=names or Names(["127.0.0.1"]))


def a_post(url: str, **more: Any) -> Outgoing:
    return Outgoing(method="POST", url=url, headers={"Idempotency-Key": "k-1"}, body=b"{}", **more)


async def test_nobody_may_be_asked_unless_the_settings_say_so(server: Server) -> None:
    with pytest.raises(StepConfig, match=r"no entry of http_allow .* \[\{url: http://127\.0\.0\.1:\d+/\}\]"):
        await Peers().send(a_post(f"{server.url}/a"), budget=5)

    assert server.asked == []


async def test_what_lies_beside_an_allowed_url_may_not_be_asked(server: Server) -> None:
    peers = allowing(f"{server.url}/api")

    with pytest.raises(StepConfig, match="may not be asked"):
        await peers.send(a_post(f"{server.url}/admin"), budget=5)

    assert server.asked == []


async def test_request_goes_to_the_address_of_the_name_with_the_name_as_its_host(server: Server) -> None:
    names = Names(["127.0.0.1"])
    peers = allowing(f"http://flags.example:{server.port}", names=names)

    answer = await peers.send(a_post(f"http://flags.example:{server.port}/a?b=1"), budget=5)

    assert (answer.status, answer.address, answer.whole) == (200, "127.0.0.1", True)
    asked = server.asked[0]
    assert (asked.method, asked.target, asked.body, asked.key) == ("POST", "/a?b=1", b"{}", "k-1")
    assert asked.headers["host"] == f"flags.example:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert names.asked == ["flags.example"]


async def test_a_name_that_answers_differently_the_second_time_is_refused(server: Server) -> None:
    names = Names([PUBLIC], ["127.0.0.1"])
    peers = allowing(f"http://flags.example:{server.port}", private=False, names=names)

    looked_at = await peers.check(f"http://flags.example:{server.port}/a", None)
    with pytest.raises(StepConfig, match=r"leads to 127\.0\.0\.1, which is not an address of the internet"):
        await peers.send(a_post(f"http://flags.example:{server.port}/a"), budget=5)

    assert (looked_at, server.asked) == (PUBLIC, [])


async def test_a_name_with_one_inner_address_among_others_is_refused(server: Server) -> None:
    peers = allowing(f"http://flags.example:{server.port}", private=False, names=Names([PUBLIC, "10.0.0.7"]))

    with pytest.raises(StepConfig, match=r"leads to 10\.0\.0\.7.* set private: true"):
        await peers.check(f"http://flags.example:{server.port}/", None)


INNER = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "10.0.0.7", "[fd00::1]"]


@pytest.mark.parametrize("host", INNER)
async def test_an_inner_address_needs_an_entry_that_says_so(host: str) -> None:
    address = host.strip("[]")
    peers = allowing(f"http://{host}:1", private=False, names=Names([address]))

    with pytest.raises(StepConfig, match="set private: true"):
        await peers.check(f"http://{host}:1/", None)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "168.63.129.16"])
async def test_metadata_and_link_local_addresses_are_never_asked(address: str) -> None:
    peers = allowing("http://flags.example", private=True, names=Names([address]))

    with pytest.raises(StepConfig, match="is never asked"):
        await peers.check("http://flags.example/", None)


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.replies = [Reply(302, headers={"Location": f"{server.url}/elsewhere"})]

    answer = await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)

    assert (answer.status, [one.target for one in server.asked]) == (302, ["/a"])


async def test_no_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert (await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)).status == 200


async def test_of_a_long_answer_only_the_beginning_is_read(server: Server) -> None:
    server.replies = [Reply(body=b"x" * (LARGEST_ANSWER * 3))]

    answer = await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)

    assert (answer.status, answer.size, answer.whole) == (200, LARGEST_ANSWER, False)


async def test_an_answer_whose_body_never_ends_counts_by_its_status(server: Server) -> None:
    server.replies = [Reply(204, headers={"Content-Length": "10"}, body=b"")]

    answer = await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)

    assert answer.status == 204


async def test_without_a_connection_nothing_was_sent() -> None:
    async with a_server() as server:
        url = server.url

    with pytest.raises(NotSent, match="was not sent: no connection to 127"):
        await allowing(url).send(a_post(url), budget=5)


async def test_the_next_address_is_tried_where_one_takes_no_connection(server: Server) -> None:
    peers = allowing(f"http://flags.example:{server.port}", names=Names(["127.0.0.9", "127.0.0.1"]))

    answer = await peers.send(a_post(f"http://flags.example:{server.port}/a"), budget=5)

    assert answer.address == "127.0.0.1"


async def test_a_name_that_leads_nowhere_is_nothing_sent() -> None:
    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    peers = Peers([HttpAllowed(url="https://flags.example")], resolver=nowhere)

    with pytest.raises(NotSent, match=r"flags\.example cannot be resolved: Name or service not known"):
        await peers.send(a_post("https://flags.example/"), budget=5)


@pytest.mark.parametrize("reply", [Reply(drops=True), Reply(hangs=True)], ids=["drops", "hangs"])
async def test_an_answer_that_does_not_come_is_no_answer(server: Server, reply: Reply) -> None:
    server.replies = [reply]

    with pytest.raises(NoAnswer, match="nobody knows what came of it"):
        await allowing(server.url).send(a_post(f"{server.url}/a"), budget=0.3)

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0, 0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", 1e9, 1e10),
        ("soon", None, None),
    ],
)
async def test_the_pause_that_a_server_asks_for_is_read(
    server: Server, header: str, low: float | None, high: float | None
) -> None:
    server.replies = [Reply(503, headers={"Retry-After": header})]

    answer = await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)

    if low is None or high is None:
        assert answer.retry_after is None
    else:
        assert answer.retry_after is not None
        assert low <= answer.retry_after <= high


async def test_words_of_an_answer_are_one_line_without_secrets(server: Server) -> None:
    said = 'not\n\x1b[31m\u202eallowed\u200f {"password": "hunter22"} ' + "x" * 1000
    server.replies = [Reply(400, body=said.encode())]

    answer = await allowing(server.url).send(a_post(f"{server.url}/a"), budget=5)

    assert answer.said.startswith("not [31m allowed")
    assert "hunter22" not in answer.said
    assert len(answer.said) == 300
    assert answer.said.isprintable()


# Credentials


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "flags.token"
    file.write_text("s3cr3t-one\n")
    return file


def written(file: Path, content: str | None) -> Path:
    """Return a file with this content; None leaves it out."""
    if content is not None:
        file.write_text(content)
    return file


async def test_a_credential_is_read_again_when_its_file_changes(server: Server, token: Path) -> None:
    peers = allowing(server.url, known={"flags": HttpCredential(token_file=token)})
    await peers.send(a_post(f"{server.url}/a", credential="flags"), budget=5)

    written(token.with_suffix(".new"), "s3cr3t-two").replace(token)
    await peers.send(a_post(f"{server.url}/a", credential="flags"), budget=5)

    sent = [one.headers["authorization"] for one in server.asked]
    assert sent == ["Bearer s3cr3t-one", "Bearer s3cr3t-two"]


async def test_a_credential_may_go_into_a_header_of_its_own(server: Server, token: Path) -> None:
    known = {"flags": HttpCredential(token_file=token, header="X-Api-Key", scheme="")}

    await allowing(server.url, known=known).send(a_post(server.url, credential="flags"), budget=5)

    assert server.asked[0].headers["x-api-key"] == "s3cr3t-one"
    assert "authorization" not in server.asked[0].headers


async def test_a_credential_is_sent_only_where_its_entry_names_it(server: Server, token: Path) -> None:
    known = {"flags": HttpCredential(token_file=token)}
    peers = Peers([HttpAllowed(url=server.url, private=True)], known)

    with pytest.raises(StepConfig, match=r"The credential 'flags' may not be sent to http://127\.0\.0\.1"):
        await peers.send(a_post(server.url, credential="flags"), budget=5)

    assert server.asked == []


@pytest.mark.parametrize("content", [None, "", "  \n", "two words", "line\r\nX-Evil: 1"])
async def test_a_credential_that_cannot_be_used_sends_nothing(
    server: Server, token: Path, content: str | None
) -> None:
    other = written(token.with_suffix(".other"), content)
    peers = allowing(server.url, known={"flags": HttpCredential(token_file=other)})

    with pytest.raises(NotSent, match="Credential flags's token file") as refused:
        await peers.send(a_post(server.url, credential="flags"), budget=5)

    assert server.asked == []
    assert "Evil" not in refused.value.message


async def test_a_credential_that_the_server_repeats_is_masked(
    server: Server, token: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.replies = [Reply(401, body=b"unknown key s3cr3t-one")]
    peers = allowing(server.url, known={"flags": HttpCredential(token_file=token)})

    with caplog.at_level(logging.DEBUG):
        answer = await peers.send(a_post(server.url, credential="flags"), budget=5)

    assert answer.said == "unknown key [redacted]"
    assert "s3cr3t" not in caplog.text + repr(answer) + repr(peers.permit(server.url, "flags"))


# TLS


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return certificate and key, signed by itself, of a name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


async def over_tls(folder: Path, name: str, seen: list[str | None]) -> Any:
    """Ask flags.example, whose server has the certificate of `name`; return the answer or the error."""
    crt, key = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    context.sni_callback = lambda sock, sni, _: seen.append(sni)
    async with a_server(context) as server:
        url = f"https://flags.example:{server.port}"
        try:
            return await allowing(url, ca_file=crt).send(a_post(url), budget=5)
        except NotSent as error:
            return error


async def test_the_certificate_must_be_that_of_the_name(tmp_path: Path) -> None:
    seen: list[str | None] = []

    good = await over_tls(tmp_path, "flags.example", seen)
    bad = await over_tls(tmp_path, "127.0.0.1.example", seen)

    assert good.status == 200
    assert seen == ["flags.example", "flags.example"]
    assert isinstance(bad, NotSent)
    assert "CERTIFICATE_VERIFY_FAILED" in bad.message
