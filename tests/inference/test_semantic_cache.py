"""The semantic cache: a question that means the same gets the answer that is there; nothing else does."""

import math
import time
from typing import Any

import httpx
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.models import Provider
from apps.catalog.selectors import catalog
from apps.inference import runtime
from apps.inference.similar import MOST_OF_ONE_SCOPE, MOST_SCOPES, Similar
from tests.gateway import make_customer
from tests.hosting import Host
from tests.inference.test_response_cache import settled_records
from tests.surfaces import LANES, Json, Surface, check_error, name_lane, read_answer

SEMANTIC = {"x-gatewayz-cache": "semantic"}
ASKED = "What is the capital of France?"
SAME = "what is the capital of france"
OTHER = "What is the capital of Italy?"


@pytest.fixture(autouse=True)
def _nothing_is_known():
    for running in runtime._runtimes.values():
        running.similar = Similar()


def body(text: Any, **more: Any) -> Json:
    return {"model": "sandbox/echo", "messages": [{"role": "user", "content": text}], **more}


def ask(client: httpx.Client, sent: Json, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.post("/v1/chat/completions", json=sent, headers=SEMANTIC | named)
    assert answer.status_code == 200, answer.text
    return answer


def text_of(answer: httpx.Response) -> str:
    found: str = answer.json()["choices"][0]["message"]["content"]
    return found


def test_question_that_means_the_same_gets_the_answer_free_of_charge(gateway, customer, upstream):
    client = gateway.client(customer)

    first = ask(client, body(ASKED))
    second = ask(client, body(SAME))

    assert first.headers["x-gatewayz-cache"] == "miss"
    assert second.headers["x-gatewayz-cache"] == "hit"
    assert float(second.headers["x-gatewayz-cache-similarity"]) > 0.95
    assert text_of(second) == text_of(first) == f"You said: {ASKED}"
    assert second.json()["usage"]["cost"] == 0
    assert upstream.stats()["by_model"] == {"echo": 1, "embedding": 2}
    records = settled_records(customer, 4)
    assert [(r.surface, r.cached, r.cost > 0) for r in records] == [
        ("embeddings", False, True),
        ("openai_chat", False, True),
        ("embeddings", False, True),
        ("openai_chat", True, False),
    ]


def test_same_words_need_no_vector(gateway, customer, upstream):
    client = gateway.client(customer)
    ask(client, body(ASKED))

    again = ask(client, body(ASKED))

    assert again.headers["x-gatewayz-cache"] == "hit"
    assert "x-gatewayz-cache-similarity" not in again.headers
    assert upstream.stats()["by_model"] == {"echo": 1, "embedding": 1}


@pytest.mark.parametrize(
    "changed",
    [
        body(OTHER),
        body(SAME, temperature=0.5),
        body(SAME, stop=["x"]),
        body(SAME, stream=True),
        body(SAME, provider={"only": ["sandbox"]}),
        body(SAME) | {"model": "sandbox/claude"},
        {**body(SAME), "messages": [{"role": "system", "content": "Be kind"}, *body(SAME)["messages"]]},
        {**body(SAME), "messages": [*body("Hello")["messages"], {"role": "assistant", "content": "Yes?"}, *body(SAME)["messages"]]},
    ],
    ids=["question", "temperature", "stop", "stream", "hosts", "model", "instructions", "earlier turns"],
)  # fmt: skip
def test_anything_else_that_differs_is_another_question(gateway, customer, changed):
    client = gateway.client(customer)
    ask(client, body(ASKED))

    assert ask(client, changed).headers["x-gatewayz-cache"] == "miss"


def test_answers_of_one_organisation_are_not_given_to_another(gateway, customer):
    ask(gateway.client(customer), body(ASKED))

    other = ask(gateway.client(make_customer()), body(SAME))

    assert other.headers["x-gatewayz-cache"] == "miss"


def test_who_wants_only_exact_answers_gets_only_those(gateway, customer, upstream):
    client = gateway.client(customer)
    ask(client, body(ASKED))

    assert ask(client, body(SAME), x_gatewayz_cache="on").headers["x-gatewayz-cache"] == "miss"
    assert upstream.stats()["by_model"]["embedding"] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("lane", LANES, ids=name_lane)
def test_every_lane_has_it(gateway, customer, make_model, lane, stream):
    surface, wire = lane
    model = make_model(Host("echo", wire))
    client = gateway.client(customer)

    def call(text: str) -> Any:
        sent = surface.body(model, stream=stream, messages=[{"role": "user", "content": text}])
        return read_whole(client.post(surface.path, json=sent, headers=SEMANTIC))

    first, second = call(ASKED), call(SAME)

    assert second.headers["x-gatewayz-cache"] == "hit"
    assert second.text == first.text == f"You said: {ASKED}"
    assert second.is_finished


def read_whole(response: httpx.Response) -> Any:
    return read_answer(response, response.content)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/responses", lambda text: {"model": "sandbox/responses", "input": text, "store": False}),
        ("/v1/responses", lambda text: {"model": "sandbox/responses", "store": False, "input": [{"role": "user", "content": [{"type": "input_text", "text": text}]}]}),
        ("/v1/completions", lambda text: {"model": "sandbox/echo", "prompt": text}),
        ("/v1beta/models/sandbox/gemini:generateContent", lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        ("/v1/messages", lambda text: {"model": "sandbox/claude", "max_tokens": 50, "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}),
    ],
    ids=["responses-text", "responses-items", "completions", "gemini", "messages-blocks"],
)  # fmt: skip
def test_every_surface_of_texts_has_it(gateway, customer, path, sent):
    client = gateway.client(customer)

    answers = [client.post(path, json=sent(text), headers=SEMANTIC) for text in (ASKED, SAME)]

    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert [answer.headers["x-gatewayz-cache"] for answer in answers] == ["miss", "hit"]


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


@pytest.mark.parametrize(
    "sent",
    [
        body([{"type": "text", "text": ASKED}, PICTURE]),
        {**body(ASKED), "messages": [*body(ASKED)["messages"], {"role": "assistant", "content": "It"}]},
    ],
    ids=["picture", "assistant last"],
)  # fmt: skip
def test_what_is_more_than_a_users_words_is_only_found_exactly(gateway, customer, upstream, sent):
    client = gateway.client(customer)

    assert [ask(client, sent).headers["x-gatewayz-cache"] for _ in range(2)] == ["miss", "hit"]
    assert "embedding" not in upstream.stats()["by_model"]


@pytest.mark.parametrize(
    "model", ["sandbox/embedding+status=503", "nobody/nothing", "sandbox/echo", "sandbox/embedding+malformed=0"]
)  # fmt: skip
def test_embedder_that_fails_breaks_no_request(gateway, customer, settings, model):
    settings.SEMANTIC_CACHE_MODEL = model
    client = gateway.client(customer)

    answers = [ask(client, body(text)) for text in (ASKED, SAME, ASKED)]

    assert [answer.headers["x-gatewayz-cache"] for answer in answers] == ["miss", "miss", "hit"]


@pytest.mark.parametrize("fault", ["hang", "delay=30000", "stall=0"])
def test_embedder_that_is_silent_delays_no_request_for_long(gateway, customer, settings, fault):
    settings.SEMANTIC_CACHE_MODEL = f"sandbox/embedding+{fault}"
    settings.SEMANTIC_CACHE_SECONDS = 0.5
    client = gateway.client(customer)
    began = time.monotonic()

    answer = ask(client, body(ASKED))

    assert time.monotonic() - began < 5
    assert answer.headers["x-gatewayz-cache"] == "miss"
    asked, *_, answered = sorted(customer.settled(requests=2), key=lambda one: one.surface)
    assert (asked.surface, asked.outcome, asked.charged) == ("embeddings", "client_gone", 0)
    assert (answered.surface, answered.outcome) == ("openai_chat", "completed")
    assert ask(client, body(ASKED)).headers["x-gatewayz-cache"] == "hit"


@pytest.mark.parametrize(
    "provider",
    [{"only": ["first-openai-host"]}, {"ignore": ["sandbox"]}, {"regions": ["eu"]}],
    ids=["only", "ignore", "regions"],
)  # fmt: skip
def test_who_may_not_see_the_question_makes_no_vector_of_it(
    gateway, customer, make_model, upstream, provider
):
    """The sandbox, which has the vectors, is not the host that is wanted."""
    model = make_model("echo")
    Provider.objects.filter(pk="first-openai-host").update(region="eu")
    catalog.check()
    client = gateway.client(customer)
    sent = body(ASKED) | {"model": model, "provider": provider}

    answers = [ask(client, sent | {"messages": body(text)["messages"]}) for text in (ASKED, SAME)]

    assert [answer.headers["x-gatewayz-cache"] for answer in answers] == ["miss", "miss"]
    assert "embedding" not in upstream.stats()["by_model"]


def test_without_a_model_it_is_refused_and_nothing_is_charged(gateway, customer, settings):
    settings.SEMANTIC_CACHE_MODEL = ""

    answer = gateway.client(customer).post(
        "/v1/chat/completions", json=body(ASKED), headers=SEMANTIC
    )

    error = check_error(read_whole(answer), Surface.CHAT)
    assert (answer.status_code, error["param"]) == (400, "x-gatewayz-cache")
    assert customer.records() == []


def test_key_with_one_request_at_a_time_can_use_it(gateway):
    client = gateway.client(make_customer(concurrency=1, requests_per_minute=3))

    answers = [ask(client, body(text)) for text in (ASKED, SAME, OTHER)]

    assert [answer.headers["x-gatewayz-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert answers[-1].headers["x-ratelimit-remaining-requests"] == "0"


# The vectors themselves.


def unit(*numbers: float) -> Any:
    vector = numpy.asarray(numbers, dtype=numpy.float32)
    return vector / numpy.linalg.norm(vector)


def at(degrees: float) -> Any:
    return unit(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


@given(st.lists(st.integers(0, 359), min_size=1, max_size=30), st.integers(0, 359), st.booleans())
def test_nearest_is_the_nearest_and_near_enough(known, asked, is_other_scope):
    similar = Similar()
    for degrees in known:
        similar.add("scope", at(degrees), str(degrees), seconds=60)

    found = similar.nearest("other" if is_other_scope else "scope", at(asked))

    angles = [min(abs(asked - degrees), 360 - abs(asked - degrees)) for degrees in known]
    least = min(angles)
    if is_other_scope or math.cos(math.radians(least)) <= 0.95:
        assert found is None
        return
    assert found is not None
    angle = abs(asked - int(found[0]))
    assert min(angle, 360 - angle) == least
    assert found[1] == pytest.approx(math.cos(math.radians(least)), abs=1e-5)


def test_forgets_what_is_too_old_and_what_is_too_much():
    now = [0.0]
    similar = Similar(lambda: now[0])
    similar.add("scope", at(0), "old", seconds=10)
    now[0] = 9.9
    assert similar.nearest("scope", at(1)) is not None
    now[0] = 10.0
    assert similar.nearest("scope", at(1)) is None

    for number in range(MOST_OF_ONE_SCOPE + 1):
        similar.add("full", at(0 if number == 0 else 90), str(number), seconds=60)
    assert similar.nearest("full", at(0)) is None
    for number in range(MOST_SCOPES + 1):
        similar.add(f"scope {number}", at(0), "x", seconds=60)
    assert similar.nearest("scope 0", at(0)) is None
    kept = similar.nearest(f"scope {MOST_SCOPES}", at(0))
    assert kept is not None
    assert kept[0] == "x"


def test_vectors_of_another_length_are_never_compared():
    similar = Similar()
    similar.add("scope", unit(1, 0, 0), "three", seconds=60)

    assert similar.nearest("scope", unit(1, 0)) is None
