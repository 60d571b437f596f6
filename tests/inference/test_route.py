"""Where a request would go and went: POST /v1/route before, GET /v1/generation after, with reasons."""

from tests.hosting import Host, slug_of
from tests.surfaces import Surface, ask


def route_of(client, body, **asked):
    answer = client.post("/v1/route", json={"request": body, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_plan_is_told_without_being_run(gateway, customer, make_model, upstream):
    model = make_model(Host("echo", input_usd="1.5"), Host("long", input_usd="0.25"))
    client = gateway.client(customer)

    found = route_of(client, Surface.CHAT.body(model))

    assert (found["path"], found["model"], found["router"]) == ("/v1/chat/completions", model, None)
    assert found["sort"] == "default"
    assert [candidate["provider"] for candidate in found["candidates"]] == [slug_of(0), slug_of(1)]
    first, second = found["candidates"]
    assert (first["reason"], first["priority"]) == ("rank", [0, 50])
    # Own key, spent, ailing, the two priorities, the price, time to the first token.
    assert first["score"] == [1, 0, 0, 0, 50, 3_500_000_000, None]
    assert second["score"] == [1, 0, 0, 1, 50, 2_250_000_000, None]
    assert first["pricing"] == {"prompt": "1.5", "completion": "2"}
    assert second["pricing"] == {"prompt": "0.25", "completion": "2"}
    assert (found["rejected"], found["left_out"]) == ([], 0)
    assert upstream.stats()["requests"] == 0
    assert customer.records() == []
    assert customer.balance.held == 0


def test_wishes_order_and_leave_out(gateway, customer, make_model):
    model = make_model(Host("echo", input_usd="3"), Host("long", input_usd="1"), "reasoner")
    body = Surface.CHAT.body(model, provider={"sort": "price", "ignore": [slug_of(2)]})

    found = route_of(gateway.client(customer), body)

    assert found["sort"] == "price"
    scores = [candidate["score"] for candidate in found["candidates"]]
    assert scores == [[0, 3_000_000_000], [0, 5_000_000_000]]
    assert [candidate["provider"] for candidate in found["candidates"]] == [slug_of(1), slug_of(0)]
    assert found["rejected"] == [
        {
            "provider": slug_of(2),
            "model": model,
            "is_byok": False,
            "why": "ignored",
            "detail": None,
        }
    ]


def test_single_host_is_told_too(gateway, customer, make_model):
    model = make_model("echo")

    found = route_of(gateway.client(customer), Surface.MESSAGES.body(model), path="/v1/messages")

    assert [candidate["provider"] for candidate in found["candidates"]] == [slug_of(0)]


def test_routers_choice_is_told(gateway, customer):
    body = Surface.CHAT.body("router:general:cost")

    found = route_of(gateway.client(customer), body)

    assert found["router"]["router"] == "router:general:cost"
    assert found["model"] == found["router"]["model"] == found["candidates"][0]["model"]


def test_place_in_the_requests_own_order_goes_before_all_else(gateway, customer, make_model):
    model = make_model("echo", "long")
    body = Surface.CHAT.body(model, provider={"order": [slug_of(1)]})

    found = route_of(gateway.client(customer), body)

    told = [(candidate["provider"], candidate["score"][:2]) for candidate in found["candidates"]]
    assert told == [(slug_of(1), [0, 0]), (slug_of(0), [0, 1])]


def test_reasons_are_told_when_no_host_is_left(gateway, customer, make_model):
    model = make_model("echo", "long")
    body = Surface.CHAT.body(model, provider={"only": [slug_of(0)], "ignore": [slug_of(0)]})

    found = route_of(gateway.client(customer), body)

    assert found["candidates"] == []
    told = [(rejection["provider"], rejection["why"]) for rejection in found["rejected"]]
    assert told == [(slug_of(0), "ignored"), (slug_of(1), "not_allowed")]
    refusal = found["refusal"]
    assert (refusal["status"], refusal["code"]) == (400, "no_provider_allowed")
    assert refusal["param"] == "request.provider.ignore"


def test_refusal_names_the_field_of_the_request(gateway, customer, make_model):
    client = gateway.client(customer)

    unknown = client.post("/v1/route", json={"request": Surface.CHAT.body("acme/none")})
    wish = Surface.CHAT.body(make_model("echo"), provider={"odd": ["nobody"]})
    unwanted = client.post("/v1/route", json={"request": wish})
    without = client.post("/v1/route", json={})

    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "request.model")
    assert (unwanted.status_code, unwanted.json()["error"]["param"]) == (
        400,
        "request.provider.odd",
    )
    assert (without.status_code, without.json()["error"]["param"]) == (400, "request")


def test_generation_tells_candidates_rejections_and_attempts(gateway, customer, make_model):
    model = make_model("echo+status=503", "echo", "long")
    client = gateway.client(customer)
    body = Surface.CHAT.body(model, provider={"ignore": [slug_of(2)]})
    ask(client, Surface.CHAT, body)

    answer = ask(client, Surface.CHAT, body)

    found = client.get("/v1/generation", params={"id": answer.headers["x-request-id"]}).json()[
        "data"
    ]
    route = found["route"]
    assert sorted(candidate["provider"] for candidate in route["candidates"]) == [
        slug_of(0),
        slug_of(1),
    ]
    known = {candidate["provider"]: candidate for candidate in route["candidates"]}
    assert known[slug_of(0)]["requests"] >= 1
    assert known[slug_of(0)]["error_rate"] == 1.0
    assert known[slug_of(1)]["error_rate"] == 0.0
    assert known[slug_of(1)]["latency_ms"] > 0
    assert [rejection["why"] for rejection in route["rejected"]] == ["ignored"]
    assert found["attempts"][-1]["provider"] == slug_of(1)
    assert all(attempt["ms"] >= 0 for attempt in found["attempts"])


def test_generation_tells_the_route_of_a_host_alone(gateway, customer, make_model):
    client = gateway.client(customer)
    answer = ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))

    found = client.get("/v1/generation", params={"id": answer.headers["x-request-id"]}).json()[
        "data"
    ]

    (candidate,) = found["route"]["candidates"]
    assert (candidate["provider"], candidate["reason"]) == (slug_of(0), "rank")
    assert found["route"]["rejected"] == []
