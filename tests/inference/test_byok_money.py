"""What an answer with the customer's own key costs: the fee, to the nano, the same wherever it is told."""

import time

import pytest

from apps.common.money import divide_half_up
from apps.inference import attempts
from tests.hosting import Host, seconds, slug_of
from tests.surfaces import Surface, ask, check_error

CHAT = Surface.CHAT
TEXT = "Hello there, how are you doing on this fine day?"
ODD = {"input_usd": "0.333", "output_usd": "0.777"}


def price_of(record, *, input_usd, output_usd):
    """Of all of it, in thousandths of a nano-dollar."""
    inputs, outputs = round(float(input_usd) * 1e6), round(float(output_usd) * 1e6)
    return record.input_tokens * inputs + record.output_tokens * outputs


def body_of(model, *, streamed=False, **fields):
    if streamed:
        fields["stream_options"] = {"include_usage": True}
    return CHAT.body(model, fields.pop("text", TEXT), stream=streamed, **fields)


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("fee_bp", [0, 1, 333, 500, 1250, 10_000])
def test_fee_is_exact_in_usage_record_ledger_and_generation(
    gateway, customer, make_model, settings, fee_bp, streamed
):
    settings.BYOK_FEE_BP = fee_bp
    model = make_model(Host("echo", input_usd=ODD["input_usd"], output_usd=ODD["output_usd"]))
    customer.bring_key(slug_of(0))
    client = gateway.client(customer)

    answer = ask(client, CHAT, body_of(model, streamed=streamed))

    (record,) = customer.settled(requests=1)
    price = price_of(record, **ODD)
    assert record.charged == record.cost == divide_half_up(price * fee_bp, 1000 * 10_000)
    assert round(answer.usage["cost"] * 1e9) == record.charged
    listed = answer.usage["cost_details"]["upstream_inference_cost"]
    assert round(listed * 1e9) == divide_half_up(price, 1000)
    assert customer.balance.total == 10**10 - record.charged
    told = client.get("/v1/generation", params={"id": record.id}).json()["data"]
    assert (told["is_byok"], told["charged_nano_usd"]) == (True, record.charged)
    assert told["attempts"][0]["is_byok"] is True


def test_quote_and_hold_are_the_fee_when_only_own_keys_are_asked(gateway, customer, make_model):
    model = make_model(Host(input_usd="4", output_usd="8"))
    customer.bring_key(slug_of(0), falls_back=False)

    found = gateway.client(customer).post("/v1/quote", json={"request": body_of(model)})

    quote = found.json()["data"]
    (candidate,) = quote["candidates"]
    assert candidate["is_byok"] is True
    assert candidate["rates"]["prompt"] == "0.000004"
    price = quote["input_tokens"] * 4000 + quote["output_tokens"] * 8000
    assert quote["hold"]["nano_usd"] == divide_half_up(price * 5, 100)
    assert candidate["cost"]["expected"] == quote["hold"]
    costs = [candidate["cost"][name]["nano_usd"] for name in ("minimum", "expected", "maximum")]
    assert costs == sorted(costs)


def test_hold_covers_our_price_when_the_own_key_may_fall_back(gateway, customer, make_model):
    model = make_model(Host(input_usd="4", output_usd="8"))
    customer.bring_key(slug_of(0))

    found = gateway.client(customer).post("/v1/quote", json={"request": body_of(model)})

    quote = found.json()["data"]
    own, ours = quote["candidates"]
    assert (own["is_byok"], ours["is_byok"]) == (True, False)
    price = quote["input_tokens"] * 4000 + quote["output_tokens"] * 8000
    assert quote["hold"]["nano_usd"] == ours["cost"]["expected"]["nano_usd"] == price
    assert own["cost"]["expected"]["nano_usd"] == divide_half_up(price * 5, 100)


def test_fee_that_cannot_be_paid_is_402_and_nobody_is_asked(
    gateway, make_customer, make_model, upstream
):
    customer = make_customer(credit_usd="0")
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False)

    answer = ask(gateway.client(customer), CHAT, body_of(model))

    assert answer.status == 402
    assert check_error(answer, CHAT)["code"] == "insufficient_credits"
    assert upstream.stats()["requests"] == 0


def test_fee_is_enough_when_our_key_is_not_to_be_used(gateway, make_customer, make_model):
    customer = make_customer(credit_usd="0.00002")
    model = make_model(Host(input_usd="1", output_usd="2"))
    body = body_of(model, text="Hello there")
    customer.bring_key(slug_of(0))
    client = gateway.client(customer)

    too_dear = ask(client, CHAT, body)
    customer.bring_key(slug_of(0), falls_back=False)
    answer = ask(client, CHAT, body)

    assert (too_dear.status, answer.status) == (402, 200)


def test_nothing_is_to_pay_when_there_is_no_fee(gateway, make_customer, make_model, settings):
    settings.BYOK_FEE_BP = 0
    customer = make_customer(credit_usd="0")
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False)

    answer = ask(gateway.client(customer), CHAT, body_of(model))

    assert (answer.status, answer.usage["cost"], answer.usage["is_byok"]) == (200, 0, True)
    assert answer.usage["cost_details"]["upstream_inference_cost"] > 0


def broken() -> Host:
    return Host("echo+cut=3+chunks=6+lull=200", seconds=seconds(idle=1))


def test_our_host_is_paid_in_full_when_it_ends_what_the_own_key_began(
    gateway, customer, make_model
):
    model = make_model(broken(), Host("echo", input_usd="5", output_usd="7"))
    customer.bring_key(slug_of(0), falls_back=False)

    answer = ask(gateway.client(customer), CHAT, body_of(model, streamed=True))

    assert (answer.text, answer.is_finished) == (f"You said: {TEXT}", True)
    (record,) = customer.settled(requests=1)
    assert (record.provider, record.is_byok) == (slug_of(1), False)
    assert record.charged == record.input_tokens * 5000 + record.output_tokens * 7000
    assert round(answer.usage["cost"] * 1e9) == record.charged
    assert answer.usage["is_byok"] is False
    own, ours = record.attempts
    assert (own["fault"], own["is_byok"], ours["fault"]) == ("cut", True, "")


def test_fee_alone_is_paid_when_the_own_key_ends_what_our_host_began(gateway, customer, make_model):
    model = make_model(broken(), Host("echo", input_usd="5", output_usd="7"))
    customer.bring_key(slug_of(1))
    order = {"order": [slug_of(0), slug_of(1)]}

    answer = ask(gateway.client(customer), CHAT, body_of(model, streamed=True, provider=order))

    assert answer.text == f"You said: {TEXT}"
    (record,) = customer.settled(requests=1)
    assert (record.provider, record.is_byok) == (slug_of(1), True)
    price = price_of(record, input_usd="5", output_usd="7")
    assert record.charged == divide_half_up(price * 5, 1000 * 100)
    assert round(answer.usage["cost"] * 1e9) == record.charged
    assert answer.usage["is_byok"] is True


def test_nothing_is_charged_when_the_own_key_breaks_off_and_nobody_can_go_on(
    gateway, customer, make_model
):
    customer.bring_key(slug_of(0), falls_back=False)

    answer = ask(gateway.client(customer), CHAT, body_of(make_model(broken()), streamed=True))

    assert answer.error is not None
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged, record.is_byok) == ("interrupted", 0, True)


@pytest.mark.alone
def test_winner_of_a_race_is_paid_for_as_what_it_is(gateway, customer, make_model, upstream):
    slow = "echo+delay=2500+every=11"
    model = make_model(slow, Host("echo", input_usd="10", output_usd="20"))
    customer.bring_key(slug_of(0))
    client = gateway.client(customer)
    body = body_of(model, hedge=True, provider={"order": [slug_of(0), slug_of(1)]})
    # Our key at the same provider comes second, but its host is the one that is slow: the other provider is asked beside.
    for _ in range(10):
        assert ask(client, CHAT, body).usage["is_byok"] is True

    started = time.monotonic()
    answer = ask(client, CHAT, body)

    assert time.monotonic() - started < 2.4
    assert answer.usage["is_byok"] is False
    *former, hedged = sorted(customer.settled(requests=11), key=lambda record: record.created_at)
    assert all(record.is_byok for record in former)
    assert (hedged.provider, hedged.is_byok) == (slug_of(1), False)
    assert hedged.charged == hedged.input_tokens * 10_000 + hedged.output_tokens * 20_000
    assert upstream.stats()["by_model"] == {slow: 11, "echo": 1}


def test_same_provider_is_asked_beside_with_our_key_where_there_is_no_other(
    gateway, customer, make_model, monkeypatch
):
    monkeypatch.setattr(attempts, "HEDGE_AFTER_SECONDS", 0.1)
    model = make_model("echo+delay=1500+first=1")
    customer.bring_key(slug_of(0))

    answer = ask(gateway.client(customer), CHAT, body_of(model, hedge=True))

    assert answer.usage["is_byok"] is False
    (record,) = customer.settled(requests=1)
    assert {attempt["fault"] for attempt in record.attempts} == {"outrun", ""}


def test_other_provider_goes_on_with_an_answer_before_our_key_at_the_same_one(
    gateway, customer, make_model, upstream
):
    model = make_model(broken(), "echo")
    customer.bring_key(slug_of(0))
    body = body_of(model, streamed=True, provider={"order": [slug_of(0), slug_of(1)]})

    answer = ask(gateway.client(customer), CHAT, body)

    assert answer.is_finished
    (record,) = customer.settled(requests=1)
    assert [attempt["provider"] for attempt in record.attempts] == [slug_of(0), slug_of(1)]


def test_answer_from_the_cache_costs_nothing_and_is_nobodys_key(gateway, customer, make_model):
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False)
    client = gateway.client(customer)
    headers = {"x-gatewayz-cache": "on"}

    first, second = (ask(client, CHAT, body_of(model), headers=headers) for _ in range(2))

    assert second.headers["x-gatewayz-cache"] == "hit"
    assert first.usage["is_byok"] is True
    assert second.usage["is_byok"] is False
    assert (second.usage["cost"], set(second.usage["cost_details"].values())) == (0, {0})
    asked, recalled = sorted(customer.settled(requests=2), key=lambda record: record.created_at)
    assert (asked.is_byok, recalled.is_byok, recalled.charged) == (True, False, 0)


def test_same_host_is_asked_again_with_our_key_after_the_own_one_was_too(
    gateway, customer, make_model, upstream
):
    """What was tried again with one key is no reason not to try again with the other."""
    model = make_model("echo+status=500+first=3")
    customer.bring_key(slug_of(0))

    answer = ask(gateway.client(customer), CHAT, body_of(model))

    assert answer.status == 200
    (record,) = customer.settled(requests=1)
    assert [attempt.get("is_byok", False) for attempt in record.attempts] == [True, True, False, False]  # fmt: skip
