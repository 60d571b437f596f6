"""What a fixed header cannot carry: signatures against Amazon's published examples, tokens against a place that gives them."""

import asyncio
import base64
import datetime
import json
import threading
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import botocore.auth  # type: ignore[import-untyped]
import botocore.awsrequest  # type: ignore[import-untyped]
import botocore.credentials  # type: ignore[import-untyped]
import httpx
import pytest
import time_machine
import yarl
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.models import Provider
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import AwsSignature, Bearer, GoogleServiceAccount, Operation
from apps.catalog.services import offers, providers
from apps.common import http
from apps.inference import credentials
from apps.inference.credentials import AwsKey, AwsScope, CredentialUnusable, sign
from tests.hosting import Host, publish
from tests.sandbox.process import start_sandbox

# https://docs.aws.amazon.com/general/latest/gr/signature-v4-test-suite.html (aws-sig-v4-test-suite)
SUITE_KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SUITE_SCOPE = AwsScope("us-east-1", "service")
SUITE_TIME = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
FORM = {"content-type": "application/x-www-form-urlencoded"}
FORM_UTF8 = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

BEDROCK = AwsSignature("AWS_BEDROCK_API_KEY", service="bedrock", region_env="AWS_REGION")
GOOGLE = GoogleServiceAccount("GOOGLE_APPLICATION_CREDENTIALS")
MARK = "s3cr3t-mark"


@pytest.fixture(autouse=True)
def no_tokens():
    credentials.reset()
    yield
    credentials.reset()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "scope", "signature"),
    [
        ("GET", "https://example.amazonaws.com/", {}, b"", SUITE_SCOPE,
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "https://example.amazonaws.com/", {}, b"", SUITE_SCOPE,
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", {}, b"", SUITE_SCOPE,
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("POST", "https://example.amazonaws.com/", FORM, b"Param1=value1", SUITE_SCOPE,
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", FORM_UTF8, b"",
         AwsScope("us-east-1", "iam"),
         "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
    ],
    ids=["get-vanilla", "post-vanilla", "query-order-key-case", "post-form", "list-users"],
)  # fmt: skip
def test_signature_is_the_published_one_when_the_example_is_signed(
    method, url, headers, body, scope, signature
):
    made = sign(method, url, headers=headers, body=body, key=SUITE_KEY, scope=scope, now=SUITE_TIME)

    assert made["x-amz-date"] == "20150830T123600Z"
    assert made["authorization"].endswith(f"Signature={signature}")


@given(
    model=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60),
    body=st.binary(max_size=200),
    token=st.one_of(st.just(""), st.text("abcXYZ012+/=", min_size=1, max_size=40)),
)
@settings(max_examples=60, deadline=None)
def test_signature_is_botocores_when_any_model_and_body_are_signed(model, body, token):
    path = PROVIDERS["aws-bedrock"].endpoints[Operation.CHAT][0].path_for(model, stream=False)
    url = "https://bedrock-runtime.eu-west-1.amazonaws.com" + path
    theirs = botocore.awsrequest.AWSRequest(
        "POST", _as_sent(url), data=body, headers={"content-type": "application/json"}
    )
    signer = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials("AKID", "secret", token or None), "bedrock", "eu-west-1"
    )
    with time_machine.travel(SUITE_TIME, tick=False):
        signer.add_auth(theirs)

    ours = sign(
        "POST",
        url,
        headers={"content-type": "application/json"},
        body=body,
        key=AwsKey("AKID", "secret", token),
        scope=AwsScope("eu-west-1", "bedrock"),
        now=SUITE_TIME,
    )

    assert ours["authorization"] == theirs.headers["Authorization"]


def _as_sent(url):
    """The address with the path that goes over the wire: the client normalises what need not be encoded."""
    parsed = yarl.URL(url)
    return f"https://{parsed.host}{parsed.raw_path_qs}"


async def made(auth, secret, **changes):
    given_settings = {"AWS_REGION": "us-east-1"}
    return await credentials.headers(
        auth,
        secret,
        **{
            "url": "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse",
            "body": b"{}",
            "content_type": "application/json",
            "settings": given_settings,
        }
        | changes,
    )


async def test_session_token_is_sent_and_signed_when_the_key_has_one():
    found = await made(BEDROCK, f"AKID:secret:{MARK}")

    assert found["x-amz-security-token"] == MARK
    assert (
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in found["authorization"]
    )


async def test_bedrock_key_is_a_bearer_token_when_it_is_no_pair():
    assert await made(BEDROCK, "ABSKexample") == {"authorization": "Bearer ABSKexample"}


async def test_nothing_is_made_when_the_key_is_in_the_fixed_headers():
    assert await made(Bearer("X"), "key") == {}
    assert not isinstance(Bearer("X"), credentials.MADE_FOR_EACH_REQUEST)


@pytest.fixture(scope="module")
def sandbox():
    with start_sandbox() as running:
        yield running


async def test_sandbox_accepts_the_signature_when_asked(sandbox):
    url = f"{sandbox.base_url}/model/echo/converse"
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}).encode()
    right = await made(BEDROCK, "AKIASANDBOX:sandbox-secret", url=url, body=body)
    wrong = await made(BEDROCK, "AKIASANDBOX:another", url=url, body=body)

    async with httpx.AsyncClient(verify=False) as client:
        sent = {"content-type": "application/json"}
        answers = [
            await client.post(url, content=body, headers=sent | found) for found in (right, wrong)
        ]

    assert [answer.status_code for answer in answers] == [200, 403]


@pytest.mark.parametrize(
    "secret", [f":{MARK}", f"AKID:{MARK}\nx", f"AKID:{MARK}:", f"{MARK}\n", f"AKID:{MARK}é"]
)
async def test_fault_is_the_providers_and_silent_when_an_amazon_key_is_broken(secret):
    with pytest.raises(CredentialUnusable) as caught:
        await made(BEDROCK, secret)

    assert caught.value.client_error is None
    assert_silent(caught.value)


def assert_silent(error):
    """Neither the fault nor what caused it holds the secret."""
    seen = []
    while error is not None:
        seen += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    assert not any(MARK in text for text in seen)


class TokenPlace:
    """Gives tokens over HTTP, or refuses."""

    def __init__(self):
        self.asked = []
        self.status = 200
        self.answer = None
        self.pause = 0.0
        self.url = ""
        self.came = asyncio.Event()

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"content-length" in line
        )
        self.asked.append(parse_qs((await reader.readexactly(size)).decode()))
        self.came.set()
        await asyncio.sleep(self.pause)
        answer = self.answer or {"access_token": f"token-{len(self.asked)}", "expires_in": 3600}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def token_place(monkeypatch):
    place = TokenPlace()
    server = await asyncio.start_server(place.serve, "127.0.0.1", 0)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
    monkeypatch.setattr(credentials, "TOKEN_ORIGINS", (place.url,))
    try:
        yield place
    finally:
        server.close()
        await server.wait_closed()
        await http.close()


def service_account(key, token_uri, **changes):
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return json.dumps(
        {
            "client_email": "gatewayz@project.iam.gserviceaccount.com",
            "private_key_id": "k1",
            "private_key": pem,
            "token_uri": token_uri,
        }
        | changes
    )


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def test_claim_is_signed_by_the_account_when_a_token_is_fetched(monkeypatch, rsa_key):
    async with token_place(monkeypatch) as place:
        with time_machine.travel(SUITE_TIME, tick=False):
            found = await made(GOOGLE, service_account(rsa_key, place.url))

    assert found == {"authorization": "Bearer token-1"}
    assert place.asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    header, claims, signature = place.asked[0]["assertion"][0].split(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    issued = int(SUITE_TIME.timestamp())
    assert decoded(claims) == {
        "iss": "gatewayz@project.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": place.url,
        "iat": issued,
        "exp": issued + 3600,
    }
    rsa_key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="),
        f"{header}.{claims}".encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )


async def test_token_is_kept_until_its_last_minute_when_asked_again(monkeypatch, rsa_key):
    now = 1000.0
    monkeypatch.setattr("apps.common.clock.monotonic", lambda: now)
    async with token_place(monkeypatch) as place:
        secret = service_account(rsa_key, place.url)
        tokens = []
        for at in (1000.0, 1000.0 + 3539, 1000.0 + 3541):
            now = at
            tokens.append((await made(GOOGLE, secret))["authorization"])

    assert tokens == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_one_request_fetches_for_all_when_many_come_at_once(monkeypatch, rsa_key):
    async with token_place(monkeypatch) as place:
        place.pause = 0.05
        secret = service_account(rsa_key, place.url)
        found = await asyncio.gather(*(made(GOOGLE, secret) for _ in range(20)))

    assert len(place.asked) == 1
    assert {one["authorization"] for one in found} == {"Bearer token-1"}


async def test_next_request_fetches_when_the_first_one_left(monkeypatch, rsa_key):
    async with token_place(monkeypatch) as place:
        place.pause = 0.2
        secret = service_account(rsa_key, place.url)
        first = asyncio.ensure_future(made(GOOGLE, secret))
        await place.came.wait()
        second = asyncio.ensure_future(made(GOOGLE, secret))
        await asyncio.sleep(0)
        first.cancel()

        assert (await second)["authorization"] == "Bearer token-2"


async def test_token_is_fetched_anew_when_the_old_one_was_refused(monkeypatch, rsa_key):
    now = 1000.0
    monkeypatch.setattr("apps.common.clock.monotonic", lambda: now)
    async with token_place(monkeypatch) as place:
        secret = service_account(rsa_key, place.url)
        assert not credentials.forget(GOOGLE, secret)
        await made(GOOGLE, secret)
        now = 1010.0
        assert credentials.forget(GOOGLE, secret)
        fresh = await made(GOOGLE, secret)
        # Others that were refused at the same time use the token that is there by now.
        assert credentials.forget(GOOGLE, secret)
        again = await made(GOOGLE, secret)

    assert fresh == again == {"authorization": "Bearer token-2"}
    assert not credentials.forget(Bearer("X"), "key")


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, {"error": "invalid_grant", "error_description": MARK}),
        (200, {"access_token": "t"}),
        (200, {"access_token": 1, "expires_in": 3600}),
        (200, {"access_token": "a\nb", "expires_in": 3600}),
        (200, b"<html>"),
        (503, b""),
    ],
)
async def test_fault_is_the_providers_when_no_token_is_given(monkeypatch, rsa_key, status, answer):
    async with token_place(monkeypatch) as place:
        place.status, place.answer = status, answer
        with pytest.raises(CredentialUnusable) as caught:
            await made(GOOGLE, service_account(rsa_key, place.url))

    assert caught.value.client_error is None
    assert_silent(caught.value)


async def test_fault_is_the_providers_when_nobody_answers(monkeypatch, rsa_key):
    monkeypatch.setattr(credentials, "TOKEN_ORIGINS", ("http://127.0.0.1:1/",))

    with pytest.raises(CredentialUnusable, match="no token: Connection"):
        await made(GOOGLE, service_account(rsa_key, "http://127.0.0.1:1/token"))


@pytest.mark.parametrize(
    "secret",
    [
        MARK,
        "",
        f'["{MARK}"]',
        f'{{"client_email": "{MARK}"}}',
        json.dumps({"client_email": "a", "private_key": MARK, "token_uri": "https://oauth2.googleapis.com/token"}),
        json.dumps({"client_email": "a", "private_key": MARK, "token_uri": "http://169.254.169.254/"}),
        f"/etc/{MARK}",
        f'{{"{MARK}',
        "\udcff",
    ],
)  # fmt: skip
async def test_fault_is_the_providers_and_silent_when_an_account_is_broken(secret):
    with pytest.raises(CredentialUnusable) as caught:
        await made(GOOGLE, secret)

    assert caught.value.client_error is None
    assert_silent(caught.value)


async def test_key_of_another_kind_is_refused_when_read(monkeypatch):
    secret = service_account(
        ec.generate_private_key(ec.SECP256R1()), "https://oauth2.googleapis.com/token"
    )

    with pytest.raises(CredentialUnusable, match="cannot be read"):
        await made(GOOGLE, secret)


async def test_accounts_are_bounded_when_users_bring_their_own(monkeypatch, rsa_key):
    monkeypatch.setattr(credentials, "MOST_ACCOUNTS", 2)
    async with token_place(monkeypatch) as place:
        for number in range(4):
            await made(GOOGLE, service_account(rsa_key, place.url, private_key_id=f"k{number}"))

        assert len(credentials._accounts_here()) == 2


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("secret", "status"),
    [("AKIASANDBOX:sandbox-secret", 200), ("AKIASANDBOX:another", 503), ("ABSKexample", 200)],
    ids=["signed", "signed wrong", "bearer"],
)
def test_bedrock_answers_when_a_request_goes_the_whole_way(
    gateway, customer, upstream, committed, secret, status, streamed
):
    model = "acme/at-bedrock"
    offer_at("aws-bedrock", secret, upstream.base_url, model=model, upstream_model="echo")
    publish()

    answer = ask_for(gateway, customer, model, stream=streamed)

    assert answer.status_code == status, answer.text
    assert (b"Hello" in answer.content) == (status == 200)


def offer_at_vertex(secret, base_url, *, model):
    offer_at("google-vertex", secret, base_url, model=model, upstream_model="echo-maas")


def offer_at(slug, secret, base_url, *, model, upstream_model):
    """A model at a row that ships, whose address and key are given; asked before any other host."""
    providers.add_provider(
        slug,
        model=model,
        upstream_model=upstream_model,
        base_url=base_url,
        amounts=offers.Amounts.of(input=1, output=1),
        priority=0,
    )
    providers.set_api_key(Provider.objects.get(pk=slug), secret)


def ask_for(gateway, customer, model, **changes):
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **changes}
    return gateway.client(customer).post("/v1/chat/completions", json=body)


def test_another_host_answers_when_the_credential_is_broken(
    gateway, customer, make_model, upstream, committed
):
    model = make_model(Host(output_usd="7"))  # no other test's, since it gets one more host
    offer_at_vertex(MARK, f"{upstream.base_url}/v1", model=model)
    publish()

    answer = ask_for(gateway, customer, model)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gatewayz-provider"] == "first-openai-host"
    assert answer.headers["x-gatewayz-attempts"] == "2"


def test_client_is_not_told_the_secret_when_no_host_is_left(gateway, customer, upstream, committed):
    offer_at_vertex(MARK, f"{upstream.base_url}/v1", model="acme/only-at-vertex")
    publish()

    answer = ask_for(gateway, customer, "acme/only-at-vertex")

    assert answer.status_code == 503
    assert MARK not in answer.text


class GoogleAtHome(BaseHTTPRequestHandler):
    """Gives tokens and answers, but takes only the second token."""

    tokens = 0
    seen: list[str] = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/token":
            type(self).tokens += 1
            self.answer(200, {"access_token": f"token-{self.tokens}", "expires_in": 3600})
            return
        self.seen.append(self.headers["authorization"])
        message = {"role": "assistant", "content": "Hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        good = self.headers["authorization"] == "Bearer token-2"
        self.answer(200 if good else 401, {"choices": [choice]} if good else {"error": "expired"})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def test_same_host_is_asked_once_more_when_it_refuses_a_token(
    gateway, customer, committed, monkeypatch, rsa_key
):
    server = ThreadingHTTPServer(("127.0.0.1", 0), GoogleAtHome)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base_url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(credentials, "TOKEN_ORIGINS", (base_url,))
    monkeypatch.setattr(credentials, "JUST_FETCHED_SECONDS", -1)
    try:
        secret = service_account(rsa_key, f"{base_url}/token")
        offer_at_vertex(secret, base_url, model="acme/refuses-a-token")
        publish()

        answer = ask_for(gateway, customer, "acme/refuses-a-token")
    finally:
        server.shutdown()
        server.server_close()

    assert answer.status_code == 200, answer.text
    assert GoogleAtHome.seen == ["Bearer token-1", "Bearer token-2"]
    assert answer.headers["x-gatewayz-attempts"] == "2"
