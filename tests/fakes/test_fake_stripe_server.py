"""The API's edge: keys, parameters, errors, pages, expansion, idempotency, faults, the process itself."""

import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import stripe

from tests.fakes.stripe.forms import nest
from tests.fakes.stripe.process import ROOT, ControlRefused, FakeStripe, start_fake_stripe


def client_with(fake: FakeStripe, http_client: stripe.RequestsClient, key: str):
    return stripe.StripeClient(
        key, base_addresses={"api": fake.url}, http_client=http_client, max_network_retries=0
    )


def wait_until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_refuses_other_keys_than_those_for_tests(fake, http_client):
    client = client_with(fake, http_client, "sk_live_12345678")

    with pytest.raises(stripe.AuthenticationError) as caught:
        client.v1.customers.list()

    assert caught.value.http_status == 401
    assert "Invalid API Key provided: sk_live_********5678" in str(caught.value)


def test_answers_with_the_headers_of_the_api(fake, client):
    customer = client.v1.customers.create(options={"idempotency_key": "k"})

    headers = customer.last_response.headers
    assert headers["request-id"].startswith("req_")
    assert headers["stripe-version"] == fake.requests()[-1]["stripe_version"]
    assert headers["idempotency-key"] == "k"
    assert headers["original-request"] == headers["request-id"]


def test_sdk_asks_for_the_version_that_the_fake_speaks(fake, client):
    client.v1.customers.create()

    event = fake.events("customer.created")[0]
    assert fake.requests()[-1]["stripe_version"] == event["api_version"]


def test_refuses_what_is_not_there(fake, client):
    with pytest.raises(stripe.InvalidRequestError) as by_path:
        client.v1.customers.retrieve("cus_gone")
    with pytest.raises(stripe.InvalidRequestError) as by_parameter:
        client.v1.payment_intents.create({"amount": 100, "currency": "usd", "customer": "cus_gone"})

    assert (by_path.value.http_status, by_path.value.code) == (404, "resource_missing")
    assert (by_path.value.param, str(by_path.value.user_message)) == (
        "id",
        "No such customer: 'cus_gone'",
    )
    assert (by_parameter.value.http_status, by_parameter.value.code) == (400, "resource_missing")
    assert by_parameter.value.param == "customer"


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0, "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 100, "currency": ""}, "parameter_invalid_empty", "currency"),
        ({"amount": 100, "currency": "usd", "credits": 5}, "parameter_unknown", "credits"),
        (
            {
                "amount": 100,
                "currency": "usd",
                "automatic_payment_methods": {"enabled": True, "x": 1},
            },
            "parameter_unknown",
            "automatic_payment_methods[x]",
        ),
    ],
)
def test_refuses_parameters_by_name(fake, client, params, code, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.create(params)

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)
    assert fake.events() == []


def test_refuses_an_unknown_address(fake, client):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.raw_request("get", "/v1/customer")

    assert caught.value.http_status == 404
    assert "Unrecognized request URL (GET: /v1/customer)" in str(caught.value)


def test_metadata_merges_and_single_keys_are_removed(client):
    customer = client.v1.customers.create({"metadata": {"org": "1", "plan": "pro"}})

    changed = client.v1.customers.update(customer.id, {"metadata": {"plan": "", "seats": "3"}})
    emptied = client.v1.customers.update(customer.id, {"metadata": ""})

    assert changed.metadata.to_dict() == {"org": "1", "seats": "3"}
    assert emptied.metadata.to_dict() == {}


def test_pages_go_from_the_newest_to_the_oldest(client):
    made = [client.v1.customers.create({"email": f"{n}@example.com"}).id for n in range(5)]

    first = client.v1.customers.list({"limit": 2})
    second = client.v1.customers.list({"limit": 2, "starting_after": first.data[-1].id})
    back = client.v1.customers.list({"limit": 2, "ending_before": second.data[0].id})
    everything = [one.id for one in client.v1.customers.list({"limit": 2}).auto_paging_iter()]

    assert ([one.id for one in first.data], first.has_more) == (made[:2:-1], True)
    assert [one.id for one in second.data] == [made[2], made[1]]
    assert [one.id for one in back.data] == [made[4], made[3]]
    assert everything == made[::-1]


def test_pages_refuse_limits_and_cursors_that_are_wrong(client):
    client.v1.customers.create()

    with pytest.raises(stripe.InvalidRequestError) as limit:
        client.v1.customers.list({"limit": 101})
    with pytest.raises(stripe.InvalidRequestError) as cursor:
        client.v1.customers.list({"starting_after": "cus_gone"})

    assert limit.value.param == "limit"
    assert (cursor.value.code, cursor.value.param) == ("resource_missing", "starting_after")


def test_lists_filter_by_time_and_field(fake, client):
    fake.control("clock", stop=1_767_225_600)
    client.v1.customers.create({"email": "a@example.com"})
    fake.control("clock", advance=60)
    later = client.v1.customers.create({"email": "b@example.com"})

    by_time = client.v1.customers.list({"created": {"gt": 1_767_225_600}})
    by_email = client.v1.customers.list({"email": "b@example.com"})

    assert [one.id for one in by_time.data] == [one.id for one in by_email.data] == [later.id]


def test_expands_ids_several_levels_deep_and_in_lists(client):
    customer = client.v1.customers.create()
    client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )

    listed = client.v1.payment_intents.list(
        {"expand": ["data.latest_charge.balance_transaction", "data.payment_method"]}
    )
    plain = client.v1.payment_intents.list()

    assert listed.data[0].latest_charge.balance_transaction.amount == 1000
    assert listed.data[0].payment_method.card.last4 == "4242"
    assert plain.data[0].latest_charge.startswith("ch_")


def test_refuses_to_expand_what_can_not_be(client):
    customer = client.v1.customers.create({"email": "a@example.com"})

    for path in ("nothing", "email", "a.b.c.d.e"):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.customers.retrieve(customer.id, {"expand": [path]})
        assert caught.value.param == "expand"


def test_same_key_and_parameters_give_the_same_answer(fake, client):
    params, options = {"email": "a@example.com"}, {"idempotency_key": "once"}

    first = client.v1.customers.create(params, options)
    again = client.v1.customers.create(params, options)

    assert again.id == first.id
    assert "idempotent-replayed" not in first.last_response.headers
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert again.last_response.headers["original-request"] == first.last_response.request_id
    assert len(fake.events("customer.created")) == 1


def test_a_decline_is_given_again_under_its_key(fake, client):
    params = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_chargeDeclined",
        "confirm": True,
    }

    declined = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            client.v1.payment_intents.create(params, {"idempotency_key": "pay"})
        declined.append(caught.value)

    assert declined[0].json_body == declined[1].json_body
    assert (declined[1].headers or {})["idempotent-replayed"] == "true"
    assert len(fake.events("charge.failed")) == 1


def test_refuses_a_key_for_other_parameters_or_another_address(client):
    options = {"idempotency_key": "once"}
    client.v1.customers.create({"email": "a@example.com"}, options)

    with pytest.raises(stripe.IdempotencyError) as params:
        client.v1.customers.create({"email": "b@example.com"}, options)
    with pytest.raises(stripe.IdempotencyError) as address:
        client.v1.products.create({"name": "Credit"}, options)

    assert params.value.http_status == address.value.http_status == 400
    assert "same parameters" in str(params.value)
    assert "same endpoint" in str(address.value)


def test_a_refused_parameter_does_not_use_up_the_key(client):
    options = {"idempotency_key": "once"}
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.create({"amount": 1000}, options)

    made = client.v1.payment_intents.create({"amount": 1000, "currency": "usd"}, options)

    assert made.status == "requires_payment_method"


def test_keys_are_forgotten_after_a_day(fake, client):
    options = {"idempotency_key": "once"}
    first = client.v1.customers.create({}, options)

    fake.control("clock", advance=86_400)
    second = client.v1.customers.create({}, options)

    assert second.id != first.id


def test_refuses_a_second_request_while_the_first_is_under_way(fake, client, http_client):
    fake.control("fail", kind="slow", milliseconds=1500, method="POST")
    made = []
    first = threading.Thread(
        target=lambda: made.append(
            client_with(
                fake, stripe.RequestsClient(timeout=10), "sk_test_other"
            ).v1.customers.create({}, {"idempotency_key": "once"})
        )
    )
    first.start()
    wait_until(lambda: bool(fake.requests()))

    with pytest.raises(stripe.APIError) as caught:
        client.v1.customers.create({}, {"idempotency_key": "once"})
    first.join()
    again = client.v1.customers.create({}, {"idempotency_key": "once"})

    assert caught.value.http_status == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "idempotency_key_in_use"
    assert again.id == made[0].id


def test_fails_the_next_calls_when_told_to(fake, client):
    fake.control("fail", kind="500", count=2, path="/v1/customers")
    statuses: list[int | None] = []
    for _ in range(3):
        try:
            client.v1.customers.create({})
            statuses.append(200)
        except stripe.APIError as error:
            statuses.append(error.http_status)

    assert statuses == [500, 500, 200]
    assert len(fake.events("customer.created")) == 1


def test_a_failure_is_kept_under_its_key_and_a_rate_limit_is_not(fake, client):
    fake.control("fail", kind="429")
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.create({}, {"idempotency_key": "limited"})
    limited = client.v1.customers.create({}, {"idempotency_key": "limited"})

    fake.control("fail", kind="500")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            client.v1.customers.create({}, {"idempotency_key": "failed"})

    assert limited.id.startswith("cus_")
    assert failed.value.http_status == 500
    assert (failed.value.headers or {})["idempotent-replayed"] == "true"


@pytest.mark.parametrize(("kind", "done"), [("timeout", 0), ("lost", 1)])
def test_says_nothing_with_or_without_having_done_it(fake, client, kind, done):
    fake.control("fail", kind=kind, milliseconds=100)

    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({}, {"idempotency_key": "k"})
    made_before = len(fake.events("customer.created"))
    after = client.v1.customers.create({}, {"idempotency_key": "k"})

    assert made_before == done
    assert after.last_response.headers.get("idempotent-replayed") == ("true" if done else None)
    assert len(fake.events("customer.created")) == 1


def test_a_client_that_does_not_wait_leaves_what_was_done(fake, client):
    impatient = stripe.RequestsClient(timeout=0.2)
    fake.control("fail", kind="slow", milliseconds=30_000)

    with pytest.raises(stripe.APIConnectionError):
        client_with(fake, impatient, "sk_test_x").v1.customers.create({}, {"idempotency_key": "k"})
    impatient.close()
    wait_until(lambda: fake.requests()[-1]["ended"])
    again = client.v1.customers.create({}, {"idempotency_key": "k"})

    assert again.last_response.headers["idempotent-replayed"] == "true"


def test_reset_forgets_everything_but_which_ids_were_given(fake, client):
    first = client.v1.customers.create({}, {"idempotency_key": "k"})

    fake.reset()
    second = client.v1.customers.create({}, {"idempotency_key": "k"})

    assert first.id != second.id
    assert [one.id for one in client.v1.customers.list().data] == [second.id]
    assert [seen["method"] for seen in fake.requests()] == ["POST", "GET"]


def test_requests_are_noted_as_they_were_sent(fake, client):
    client.v1.customers.create(
        {"metadata": {"org": "1"}, "preferred_locales": ["de"]}, {"idempotency_key": "k"}
    )

    seen = fake.requests()[-1]
    assert (seen["method"], seen["path"], seen["status"]) == ("POST", "/v1/customers", 200)
    assert seen["params"] == {"metadata": {"org": "1"}, "preferred_locales": {"0": "de"}}
    assert seen["idempotency_key"] == "k"


def test_control_refuses_what_it_does_not_know(fake):
    with pytest.raises(ControlRefused, match="kind must be one of"):
        fake.control("fail", kind="flood")
    with pytest.raises(ControlRefused, match="KeyError"):
        fake.control("webhook")
    with pytest.raises(ControlRefused, match="No such checkout"):
        fake.control("checkout/cs_test_gone/complete")


def test_stops_cleanly_and_leaves_with_its_parent():
    with start_fake_stripe() as own:
        assert own.stop() == 0
    code = (
        "from tests.fakes.stripe.process import start_fake_stripe; import os;"
        "f = start_fake_stripe(); print(f.url, flush=True); os._exit(0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20
    )

    port = int(done.stdout.strip().rpartition(":")[2])
    wait_until(lambda: not listens(port))


def test_imports_nothing_of_the_product():
    code = (
        "import sys, tests.fakes.stripe.server;"
        "print([m for m in sys.modules if m.split('.')[0] in ('apps', 'gatewayz', 'django', 'stripe')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("a[b][c]", "1"), ("a[b][d]", "2")], {"a": {"b": {"c": "1", "d": "2"}}}),
        ([("a[]", "x"), ("a[]", "y")], {"a": {"0": "x", "1": "y"}}),
        ([("a[0][b]", "x"), ("a[1][b]", "y")], {"a": {"0": {"b": "x"}, "1": {"b": "y"}}}),
        ([("a", "1"), ("a[b]", "2")], {"a": {"b": "2"}}),
    ],
)
def test_forms_nest_by_their_brackets(pairs, expected):
    assert nest(pairs) == expected


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"metadata": "no"}, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]"),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]"),
        ({"metadata": {str(n): "v" for n in range(51)}}, "metadata"),
        ({"metadata": {"k": {"deep": "v"}}}, "metadata"),
        ({"address": "here"}, "address"),
        ({"preferred_locales": "de"}, "preferred_locales"),
        ({"preferred_locales": {"x": "de"}}, "preferred_locales"),
        ({"tax_exempt": "maybe"}, "tax_exempt"),
        ({"email": {"at": "x"}}, "email"),
    ],
)
def test_refuses_values_of_the_wrong_form(client, params, param):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.raw_request("post", "/v1/customers", **params)

    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_refuses_a_request_without_a_key(fake):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{fake.url}/v1/customers", timeout=5)

    with caught.value as answer:
        assert answer.code == 401
        assert "You did not provide an API key" in json.load(answer)["error"]["message"]
