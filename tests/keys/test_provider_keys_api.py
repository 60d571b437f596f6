"""Keys that customers bring: kept, shown by their ending alone, replaced, forgotten, and nobody else's to see."""

import json
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.common import crypto
from apps.keys.models import Environment, ProviderCredential
from tests.gateway import OWN_SECRET
from tests.hosting import slug_of
from tests.surfaces import Surface, ask

PATH = "/user/provider-keys"
SECRET = "gsk_a-secret-of-the-customer-7Kq2"


@pytest.fixture(scope="module")
def account():
    """A service account's document, as Google gives it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return {
        "type": "service_account",
        "project_id": "their-project-1",
        "private_key_id": "0123456789abcdef7f3e",
        "private_key": pem.decode(),
        "client_email": "a@their-project-1.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


@pytest.fixture
def client(gateway, customer):
    return gateway.client(customer)


def bring(client, **body):
    return client.post(PATH, json=body)


def error_of(answer, status=400):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    return error["param"], error["code"]


@pytest.mark.parametrize("path", [PATH, f"/v1{PATH}"])
def test_key_is_kept_encrypted_and_shown_by_its_ending_when_brought(client, customer, path):
    answer = client.post(path, json={"provider": "groq", "key": f"  {SECRET}\n"})

    assert answer.status_code == 200
    kept = answer.json()["data"]
    moments = {kept.pop(name) for name in ("created_at", "updated_at")}
    assert kept == {
        "provider": "groq", "last4": "7Kq2", "settings": {}, "falls_back": True, "is_active": True,
    }  # fmt: skip
    assert all(moments)
    (listed,) = client.get(path).json()["data"]
    assert listed["provider"] == "groq"
    row = ProviderCredential.objects.get(organization_id=customer.organization_id)
    assert SECRET not in row.ciphertext
    assert crypto.decrypt(row.ciphertext) == SECRET


def test_key_is_replaced_and_what_is_left_out_stays_when_brought_again(client, customer):
    bring(client, provider="groq", key=SECRET, falls_back=False)

    renewed = bring(client, provider="groq", key="gsk_another-secret-9Xy1").json()["data"]
    switched = bring(client, provider="groq", is_active=False).json()["data"]

    assert (renewed["last4"], renewed["falls_back"], renewed["is_active"]) == ("9Xy1", False, True)
    assert (switched["last4"], switched["falls_back"], switched["is_active"]) == ("9Xy1", False, False)  # fmt: skip
    row = ProviderCredential.objects.get(organization_id=customer.organization_id)
    assert crypto.decrypt(row.ciphertext) == "gsk_another-secret-9Xy1"


def test_short_key_shows_nothing_of_itself(client):
    assert bring(client, provider="groq", key="12345678").json()["data"]["last4"] == ""


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"key": SECRET}, ("provider", "missing_field")),
        ({"provider": "groq"}, ("key", "missing_field")),
        ({"provider": "nobody", "key": SECRET}, ("provider", "invalid_value")),
        ({"provider": "a\x00b", "key": SECRET}, ("provider", "invalid_value")),
        ({"provider": "sandbox", "key": SECRET}, ("provider", "invalid_value")),
        ({"provider": "ollama", "key": SECRET}, ("provider", "invalid_value")),
        ({"provider": "modelz", "key": SECRET}, ("provider", "invalid_value")),
        ({"provider": "groq", "key": ""}, ("key", "invalid_value")),
        ({"provider": "groq", "key": " \n"}, ("key", "invalid_value")),
        ({"provider": "groq", "key": "a\r\nx-evil: 1"}, ("key", "invalid_value")),
        ({"provider": "groq", "key": "ein schlüssel"}, ("key", "invalid_value")),
        ({"provider": "groq", "key": "a\x00b"}, ("key", "invalid_value")),
        ({"provider": "groq", "key": "x" * 16_385}, ("key", "invalid_value")),
        ({"provider": "groq", "key": '{"type": "service_account"}'}, ("key", "invalid_value")),
        ({"provider": "groq", "key": 5}, ("key", "invalid_value")),
        ({"provider": "groq", "key": SECRET, "falls_bakc": False}, ("falls_bakc", "invalid_value")),
        ({"provider": "groq", "key": SECRET, "settings": {"base_url": "http://169.254.169.254"}},
         ("settings.base_url", "invalid_value")),
        ({"provider": "azure-openai", "key": SECRET}, ("settings.resource", "missing_field")),
        ({"provider": "azure-openai", "key": SECRET, "settings": {"resource": "evil.example/?x="}},
         ("settings.resource", "invalid_value")),
        ({"provider": "azure-openai", "key": SECRET, "settings": {"resource": "mine", "region": "x"}},
         ("settings.region", "invalid_value")),
        ({"provider": "cloudflare-workers-ai", "key": SECRET}, ("settings.account_id", "missing_field")),
        ({"provider": "cloudflare-workers-ai", "key": SECRET, "settings": {"account_id": "../../x"}},
         ("settings.account_id", "invalid_value")),
        ({"provider": "aws-bedrock", "key": "AKIA:", "settings": {}}, ("key", "invalid_value")),
        ({"provider": "aws-bedrock", "key": "AKIA:s", "settings": {"region": "x@evil.example#"}},
         ("settings.region", "invalid_value")),
        ({"provider": "google-vertex", "key": "AIza-no-document"}, ("key", "invalid_value")),
        ({"provider": "google-vertex", "key": "{broken"}, ("key", "invalid_value")),
        ({"provider": "google-vertex", "key": '{"type": "service_account"}'}, ("key", "invalid_value")),
        ({"provider": "google-vertex", "key": "/etc/passwd"}, ("key", "invalid_value")),
    ],
    ids=lambda value: json.dumps(value)[:60],
)  # fmt: skip
def test_refusal_names_the_field_and_never_the_key(client, customer, body, refusal):
    answer = bring(client, **body)

    assert error_of(answer) == refusal
    assert SECRET not in answer.text
    assert "evil" not in answer.text
    assert not ProviderCredential.objects.filter(organization_id=customer.organization_id).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"token_uri": "https://evil.example/token"},
        {"token_uri": "http://169.254.169.254/"},
        {"private_key": "no key"},
        {"client_email": None},
    ],
)
def test_service_account_that_cannot_be_used_is_refused(client, account, change):
    answer = bring(client, provider="google-vertex", key=json.dumps(account | change))

    assert error_of(answer) == ("key", "invalid_value")
    assert "evil" not in answer.text


def test_service_account_tells_its_project_and_the_id_of_its_key(client, account):
    written = json.dumps(account, indent=2)

    kept = bring(client, provider="google-vertex", key=written).json()["data"]
    chosen = bring(
        client,
        provider="google-vertex",
        key=written,
        settings={"project": "another-one", "location": "europe-west4"},
    ).json()["data"]

    assert (kept["last4"], kept["settings"]) == ("7f3e", {"project": "their-project-1"})
    assert chosen["settings"] == {"project": "another-one", "location": "europe-west4"}


def test_account_of_another_project_must_say_which_is_meant(client, account):
    other = json.dumps(account | {"project_id": "their-project-2"})
    bring(client, provider="google-vertex", key=json.dumps(account))

    unclear = bring(client, provider="google-vertex", key=other)
    renewed = bring(client, provider="google-vertex", key=json.dumps(account))
    clear = bring(client, provider="google-vertex", key=other, settings={})

    assert error_of(unclear) == ("settings.project", "missing_field")
    assert renewed.status_code == 200
    assert clear.json()["data"]["settings"] == {"project": "their-project-2"}


@pytest.mark.parametrize(
    ("provider", "key", "settings"),
    [
        ("azure-openai", SECRET, {"resource": "my-resource"}),
        ("cloudflare-workers-ai", SECRET, {"account_id": "0" * 32}),
        ("aws-bedrock", "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPx", {"region": "eu-central-1"}),
        ("aws-bedrock", "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3M=", {"region": "us-gov-west-1"}),
        ("aws-bedrock", "AKIDEXAMPLE:wJalrXUtnFEMI:IQoJb3JpZ2luX2VjEJr==", {}),
    ],
)
def test_providers_with_settings_take_what_is_well_formed(client, provider, key, settings):
    answer = bring(client, provider=provider, key=key, settings=settings)

    assert (answer.status_code, answer.json()["data"]["settings"]) == (200, settings)


def test_key_is_gone_when_deleted(client):
    bring(client, provider="groq", key=SECRET)

    answer = client.delete(f"{PATH}/groq")

    assert answer.json() == {"provider": "groq", "deleted": True}
    assert client.get(PATH).json() == {"data": []}
    assert error_of(client.delete(f"{PATH}/groq"), 404) == ("slug", "not_found")
    assert error_of(client.delete(f"{PATH}/a%00b"), 404) == ("slug", "not_found")


def test_nobody_sees_or_changes_another_organisations_keys(
    gateway, client, customer, make_customer
):
    bring(client, provider="groq", key=SECRET, falls_back=False)
    other = gateway.client(make_customer())

    assert other.get(PATH).json() == {"data": []}
    assert error_of(other.delete(f"{PATH}/groq"), 404) == ("slug", "not_found")
    assert error_of(bring(other, provider="groq", falls_back=True)) == ("key", "missing_field")
    assert bring(other, provider="groq", key="gsk_of-the-other-one").status_code == 200
    (kept,) = client.get(PATH).json()["data"]
    assert (kept["last4"], kept["falls_back"]) == ("7Kq2", False)
    row = ProviderCredential.objects.get(organization_id=customer.organization_id)
    assert crypto.decrypt(row.ciphertext) == SECRET


def test_changes_are_limited_so_that_nobody_keeps_all_processes_reading(
    gateway, client, make_customer, settings
):
    settings.PROVIDER_KEY_CHANGES_PER_MINUTE = 3
    for _ in range(3):
        assert bring(client, provider="groq", key=SECRET).status_code == 200

    refused = client.delete(f"{PATH}/groq")

    assert error_of(refused, 429) == (None, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) > 0
    assert len(client.get(PATH).json()["data"]) == 1
    other = gateway.client(make_customer())
    assert bring(other, provider="groq", key=SECRET).status_code == 200


def test_test_keys_are_refused(gateway, make_customer):
    client = gateway.client(make_customer(environment=Environment.TEST))

    for answer in (
        client.get(PATH),
        bring(client, provider="groq", key=SECRET),
        client.delete(f"{PATH}/groq"),
    ):
        assert error_of(answer, 403) == (None, "permission_denied")


def test_key_works_within_a_second_and_is_dead_within_a_second(client, make_model, upstream):
    body = Surface.CHAT.body(make_model("echo"))
    ask(client, Surface.CHAT, body)

    def key_seen():
        ask(client, Surface.CHAT, body)
        return upstream.stats()["last_request"]["headers"]["authorization"]

    assert key_seen() == "Bearer a-key-that-the-host-takes"
    bring(client, provider=slug_of(0), key=OWN_SECRET)
    time.sleep(1)
    assert key_seen() == f"Bearer {OWN_SECRET}"
    client.delete(f"{PATH}/{slug_of(0)}")
    time.sleep(1)
    assert key_seen() == "Bearer a-key-that-the-host-takes"


def test_key_is_nowhere_in_answers_or_logs(client, make_model, capsys, caplog):
    bring(client, provider=slug_of(0), key=OWN_SECRET)
    time.sleep(1)
    body = Surface.CHAT.body(make_model("echo+status=503"))

    told = [
        client.get(PATH).text,
        client.post("/v1/route", json={"request": body}).text,
        client.post("/v1/quote", json={"request": body}).text,
        client.get("/v1/key").text,
    ]
    failed = client.post(Surface.CHAT.path, json=body)
    told += [failed.text, str(failed.headers)]
    told.append(client.get("/v1/generation", params={"id": failed.headers["x-request-id"]}).text)

    printed = capsys.readouterr()
    assert '"event":"request"' in caplog.text
    assert OWN_SECRET not in "".join([*told, printed.out, printed.err, caplog.text])
    assert '"is_byok":true' in told[1].replace(" ", "")
