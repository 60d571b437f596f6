"""Where a customer's own key leads: to providers that the house has no key for, with signatures and tokens of its own."""

import datetime
import re
import threading
from http.server import ThreadingHTTPServer

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.catalog.models import Model, PriceSource, Provider
from apps.catalog.selectors import whole_catalog
from apps.catalog.services import offers, providers
from apps.common import crypto
from apps.common.ids import new_id
from apps.common.money import divide_half_up
from apps.inference import credentials
from apps.inference.selectors import read_calls
from apps.keys.models import ProviderCredential
from apps.sandbox.keys import BAD_KEY
from tests.gateway import OWN_SECRET
from tests.hosting import Host, publish, slug_of
from tests.inference.test_credentials import GoogleAtHome, offer_at, service_account
from tests.surfaces import Surface, ask

CHAT = Surface.CHAT
THEIRS = "only-theirs-host"
MILLION = 10**9
"""A dollar for a million tokens, so that a token costs 1,000 nano-dollars."""


@pytest.fixture
def theirs(upstream, committed):
    """A model whose only provider the house has no key for."""
    model = f"acme/{new_id('model')}"
    providers.add_provider(
        THEIRS,
        model=model,
        amounts=offers.Amounts.of(input=MILLION, output=2 * MILLION),
        base_url=f"{upstream.base_url}/v1",
        wire="openai_chat",
        api_key_env="A_KEY_THAT_NOBODY_HAS_SET",
        upstream_model="echo",
    )
    publish()
    return model


def route_of(client, model):
    return client.post("/v1/route", json={"request": CHAT.body(model)})


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_provider_without_a_house_key_is_asked_with_the_customers(
    gateway, customer, make_customer, theirs, upstream, streamed
):
    customer.bring_key(THEIRS)
    client, other = gateway.client(customer), gateway.client(make_customer())

    answer = ask(client, CHAT, CHAT.body(theirs, stream=streamed))
    refused = ask(other, CHAT, CHAT.body(theirs))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    assert upstream.stats()["last_request"]["headers"]["authorization"] == f"Bearer {OWN_SECRET}"
    assert upstream.stats()["requests"] == 1
    assert refused.status == 503
    (record,) = customer.settled(requests=1)
    assert record.charged == divide_half_up((record.input_tokens + 2 * record.output_tokens) * 50, 1)  # fmt: skip


def test_such_a_provider_is_in_the_route_of_those_with_a_key_alone(
    gateway, customer, make_customer, theirs
):
    customer.bring_key(THEIRS)

    mine = route_of(gateway.client(customer), theirs)
    others = route_of(gateway.client(make_customer()), theirs)

    (candidate,) = mine.json()["data"]["candidates"]
    assert (candidate["provider"], candidate["is_byok"]) == (THEIRS, True)
    assert candidate["reason"] == "own_key"
    assert mine.json()["data"]["rejected"] == []
    assert others.status_code == 503


def test_model_at_both_is_asked_at_the_customers_first_and_at_ours_then(
    gateway, customer, make_model, upstream, theirs
):
    model = make_model(Host("echo+words=2"))
    theirs_too = offers.offer(
        Provider.objects.get(pk=THEIRS), model_id=model, upstream_model="echo+status=503"
    )
    amounts = offers.Amounts.of(input=9 * MILLION, output=9 * MILLION)
    offers.post_price(theirs_too, amounts, source=PriceSource.MANUAL)
    publish()
    customer.bring_key(THEIRS)

    answer = ask(gateway.client(customer), CHAT, CHAT.body(model))

    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    (record,) = customer.settled(requests=1)
    assert [attempt["provider"] for attempt in record.attempts] == [THEIRS, slug_of(0)]


def test_model_that_a_router_chooses_is_asked_with_the_own_key(gateway, customer, make_model):
    make_model(Host("echo", context_length=100_000))  # so that there is one beside the sandbox's
    client = gateway.client(customer)
    (ours, *_) = route_of(client, "router:general:cost").json()["data"]["candidates"]
    customer.bring_key(ours["provider"])

    (first, *_) = route_of(client, "router:general:cost").json()["data"]["candidates"]

    assert (first["provider"], first["model"]) == (ours["provider"], ours["model"])
    assert (ours["is_byok"], first["is_byok"], first["reason"]) == (False, True, "own_key")


def test_whole_catalogue_is_read_once_and_only_for_those_who_need_it(
    gateway, customer, make_customer, make_model, theirs, monkeypatch
):
    read = []

    def counted(house):
        read.append(threading.current_thread().name)
        return whole_catalog(house)

    monkeypatch.setattr("apps.inference.own_keys.whole_catalog", counted)
    Model.objects.filter(pk=theirs).update(description="so that the catalogue is another one")
    publish()
    without, ours = make_customer(), make_customer()
    ours.bring_key(slug_of(0))
    model = make_model("echo")

    for one in (without, ours):
        assert ask(gateway.client(one), CHAT, CHAT.body(model)).status == 200
    assert read == []
    customer.bring_key(THEIRS)
    client = gateway.client(customer)
    asking = [
        threading.Thread(target=ask, args=(client, CHAT, CHAT.body(theirs))) for _ in range(8)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()

    assert len(customer.settled(requests=8)) == 8
    assert len(read) == 1
    assert read[0].startswith("db"), "never on the event loop"


def test_key_that_cannot_be_opened_is_not_replaced_by_ours(gateway, customer, make_model, upstream):
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False)
    sealed = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    ProviderCredential.objects.filter(organization_id=customer.organization_id).update(
        ciphertext=sealed
    )
    customer.bring_key("groq")  # and the gateway looks again

    answer = ask(gateway.client(customer), CHAT, CHAT.body(model))

    assert answer.status == 503
    assert answer.error is not None
    assert slug_of(0) in answer.error["message"]
    assert upstream.stats()["requests"] == 0
    with pytest.raises(crypto.SecretUnreadable):
        crypto.decrypt(sealed)


def test_embeddings_are_asked_with_the_own_key(gateway, customer, make_model, upstream):
    model = make_model(Host("embedding"))
    Model.objects.filter(pk=model).update(output_modalities=["embeddings"])
    publish()
    customer.bring_key(slug_of(0))

    answer = gateway.client(customer).post(
        "/v1/embeddings", json={"model": model, "input": "Hello there"}
    )

    assert answer.status_code == 200, answer.text
    assert upstream.stats()["last_request"]["headers"]["authorization"] == f"Bearer {OWN_SECRET}"
    (record,) = customer.settled(requests=1)
    assert (record.surface, record.is_byok) == ("embeddings", True)
    assert record.charged == divide_half_up(record.input_tokens * 1000 * 5, 100) > 0
    assert answer.json()["usage"]["is_byok"] is True


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_amazon_gets_the_customers_signature_for_the_customers_region(
    gateway, customer, upstream, committed, streamed
):
    model = "acme/own-at-bedrock"
    offer_at("aws-bedrock", "ABSK-of-the-house", upstream.base_url, model=model, upstream_model="echo")  # fmt: skip
    publish()
    customer.bring_key(
        "aws-bedrock", "AKIASANDBOX:sandbox-secret", settings={"region": "eu-central-1"}
    )

    answer = ask(gateway.client(customer), CHAT, CHAT.body(model, stream=streamed))

    assert (answer.status, answer.text) == (200, "You said: Hello there")
    seen = upstream.stats()["last_request"]["headers"]["authorization"]
    assert re.search(r"Credential=AKIASANDBOX/\d{8}/eu-central-1/bedrock/aws4_request", seen)


def test_google_gets_a_token_of_the_customers_account(gateway, customer, committed, monkeypatch):
    class TakesAny(GoogleAtHome):
        tokens = 1  # the next is the one that is taken
        seen: list[str] = []

    credentials.reset()
    server = ThreadingHTTPServer(("127.0.0.1", 0), TakesAny)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base_url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(credentials, "TOKEN_ORIGINS", (base_url,))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    try:
        offer_at("google-vertex", "{}", base_url, model="acme/own-at-vertex", upstream_model="echo-maas")  # fmt: skip
        publish()
        client = gateway.client(customer)
        brought = client.post(
            "/user/provider-keys",
            json={
                "provider": "google-vertex",
                "key": service_account(key, f"{base_url}/token", project_id="their-project-1"),
            },
        )
        customer.bring_key("groq")  # and the gateway looks again

        answer = ask(client, CHAT, CHAT.body("acme/own-at-vertex"))
    finally:
        server.shutdown()
        server.server_close()
        credentials.reset()

    assert brought.status_code == 200, brought.text
    assert (answer.status, answer.text) == (200, "Hello")
    assert TakesAny.seen == ["Bearer token-2"]
    (record,) = customer.settled(requests=1)
    assert (record.provider, record.is_byok, len(record.attempts)) == ("google-vertex", True, 1)


def test_uptime_of_a_host_knows_nothing_of_customers_keys(gateway, customer, make_model):
    upstream_model = "echo+words=9"
    model = make_model(upstream_model)
    host = (slug_of(0), upstream_model)
    customer.bring_key(slug_of(0), BAD_KEY)
    for _ in range(3):
        assert ask(gateway.client(customer), CHAT, CHAT.body(model)).status == 200
    customer.settled(requests=3)

    calls = read_calls(datetime.timedelta(hours=1))[host]

    assert (calls.answered, calls.failed) == (3, 0)
