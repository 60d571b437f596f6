"""Receipts: what a request used and cost, certified so that anybody can check it without the gateway."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.common.signing_keys import SigningKey, keys
from apps.inference import certifying, receipts
from apps.inference.models import RequestRecord
from tests.billing.books import closing_of, open_books, settle_through_books
from tests.hosting import Host
from tests.surfaces import Surface, ask

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))  # where the verifier stands alone

from verify_receipt import NotCertified, verify  # noqa: E402

KEY = SigningKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")


def made(payload, proof):
    told = {name: getattr(proof, name) for name in ("kid", "signature", "index", "size", "path")}
    return {"payload": payload.decode(), "proof": told}


# The tree and its signature, without a database.


@given(st.lists(st.integers(), min_size=1, max_size=70))
def test_each_of_a_batch_verifies_alone(numbers):
    payloads = [json.dumps({"id": number}).encode() for number in numbers]

    proofs = receipts.sign(payloads, KEY)

    assert len({proof.signature for proof in proofs}) == 1
    for payload, proof, number in zip(payloads, proofs, numbers, strict=True):
        assert verify(made(payload, proof), [KEY.jwk]) == {"id": number}
        assert len(proof.path) <= 7


@given(st.integers(1, 20), st.data())
def test_nothing_verifies_when_a_part_of_it_was_changed(size, data):
    payloads = [json.dumps({"id": number}).encode() for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    receipt = made(payloads[index], receipts.sign(payloads, KEY)[index])
    proof = receipt["proof"]
    change = data.draw(
        st.sampled_from(["payload", "signature", "path", "shorter", "longer", "index"])
    )
    match change:
        case "payload":
            receipt["payload"] = receipt["payload"].replace("id", "ID")
        case "signature":
            proof["signature"] = "A" * len(proof["signature"])
        case "path" | "shorter" if size > 1:
            proof["path"] = (
                ["00" * 32, *proof["path"][1:]] if change == "path" else proof["path"][1:]
            )
        case "index" if size > 1:
            proof["index"] = (index + 1) % size
        case _:
            proof["path"] = [*proof["path"], "00" * 32]

    with pytest.raises(NotCertified):
        verify(receipt, [KEY.jwk])


def test_leaf_of_one_tree_is_no_node_of_another():
    first, second = b'{"a":1}', b'{"b":2}'
    (proof, _) = receipts.sign([first, second], KEY)
    forged = {"payload": "", "proof": {**made(first, proof)["proof"], "size": 1, "path": []}}

    with pytest.raises(NotCertified, match="signature"):
        verify(forged, [KEY.jwk])


def test_key_is_named_by_its_thumbprint():
    # The example of RFC 8037, appendix A.3.
    seed = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"

    assert SigningKey(seed).id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert SigningKey(seed).jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


# Through a gateway.


def receipt_of(client, generation):
    answer = client.get("/v1/generation/receipt", params={"id": generation})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def keys_of(client):
    return client.get("/.well-known/jwks.json").json()["keys"]


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_answer_has_a_receipt_the_moment_it_ends(gateway, customer, make_model, streamed):
    model = make_model(Host("echo", input_usd="10", output_usd="20"))
    client = gateway.client(customer)
    answer = ask(client, Surface.CHAT, Surface.CHAT.body(model, stream=streamed))

    receipt = receipt_of(client, answer.headers["x-request-id"])

    facts = verify(receipt, keys_of(client))
    (record,) = customer.settled(requests=1)
    assert record.receipt is not None
    assert facts["id"] == record.pk == answer.headers["x-request-id"]
    assert facts["model"] == model
    assert facts["charged_nano_usd"] == facts["cost_nano_usd"] == record.charged > 0
    assert facts["usage"] == {"input": record.input_tokens, "output": record.output_tokens}
    assert (facts["outcome"], facts["usage_source"]) == ("completed", "provider")
    assert facts["organization"] == customer.organization_id


def test_requests_of_one_moment_share_a_signature_and_verify_alone(gateway, customer, make_model):
    model = make_model("echo")
    client = gateway.client(customer)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: ask(client, Surface.CHAT, Surface.CHAT.body(model)), range(8))
        )

    found = [receipt_of(client, answer.headers["x-request-id"]) for answer in answers]

    assert len({json.loads(receipt["payload"])["id"] for receipt in found}) == 8
    assert all(verify(receipt, keys_of(client)) for receipt in found)
    assert len({receipt["proof"]["signature"] for receipt in found}) < 8


def test_what_was_really_charged_is_certified_when_the_credit_did_not_cover_the_cost(committed):
    books = open_books(purchased=1_000)
    whole = closing_of(books, books.hold(300), cost=600)
    short = closing_of(books, books.hold(300), cost=900)

    assert settle_through_books(whole, short) == [600, 400]

    records = RequestRecord.objects.in_bulk()
    signed, unsigned = (records[one.settlement.request_id] for one in (whole, short))
    assert signed.receipt is not None
    assert unsigned.receipt is None
    for record, charged in ((signed, 600), (unsigned, 400)):
        receipt = made(certifying.payload_of(record), certifying.proof_of(record))
        facts = verify(receipt, [key.jwk for key in keys()])
        assert facts["charged_nano_usd"] == charged


def test_record_that_was_changed_afterwards_does_not_verify(gateway, customer, make_model):
    client = gateway.client(customer)
    ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    (record,) = customer.settled(requests=1)
    RequestRecord.objects.filter(pk=record.pk).update(charged=record.charged + 1)

    with pytest.raises(NotCertified, match="signature"):
        verify(receipt_of(client, record.pk), keys_of(client))


def test_job_signs_what_has_no_receipt(gateway, customer, make_model):
    client = gateway.client(customer)
    ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    (record,) = customer.settled(requests=1)
    RequestRecord.objects.filter(pk=record.pk).update(receipt=None)

    assert certifying.sign_missing() >= 1

    record.refresh_from_db()
    payload, proof = certifying.payload_of(record), certifying.proof_of(record)
    assert verify(made(payload, proof), keys_of(client))["id"] == record.pk


def test_receipt_of_a_stranger_is_not_found(gateway, customer, make_customer, make_model):
    ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    (record,) = customer.settled(requests=1)

    answer = gateway.client(make_customer()).get("/v1/generation/receipt", params={"id": record.pk})

    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "id")


def test_older_key_still_verifies_and_the_newer_one_signs(gateway, customer, make_model, settings):
    client = gateway.client(customer)
    before = ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    old = receipt_of(client, before.headers["x-request-id"])
    settings.RECEIPT_KEYS = ["ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8", *settings.RECEIPT_KEYS]

    after = ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    new = receipt_of(client, after.headers["x-request-id"])

    published = keys_of(client)
    assert [key["kid"] for key in published] == [new["proof"]["kid"], old["proof"]["kid"]]
    for receipt in (old, new):
        verify(receipt, published)
    with pytest.raises(NotCertified, match="key"):
        verify(new, published[1:])


def test_verifier_is_a_program_that_needs_nothing_of_ours(gateway, customer, make_model, tmp_path):
    client = gateway.client(customer)
    answer = ask(client, Surface.CHAT, Surface.CHAT.body(make_model("echo")))
    whole = client.get(
        "/v1/generation/receipt", params={"id": answer.headers["x-request-id"]}
    ).json()
    forged = json.loads(json.dumps(whole))
    forged["data"]["payload"] = forged["data"]["payload"].replace("completed", "failed")
    (tmp_path / "keys.json").write_text(client.get("/.well-known/jwks.json").text)
    (tmp_path / "true.json").write_text(json.dumps(whole))
    (tmp_path / "forged.json").write_text(json.dumps(forged))

    def run(name):
        command = [sys.executable, str(ROOT / "scripts/verify_receipt.py"), name, "keys.json"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)

    certified, refused = run("true.json"), run("forged.json")

    assert certified.returncode == 0
    assert json.loads(certified.stdout)["id"] == answer.headers["x-request-id"]
    assert refused.returncode == 1
    assert "signature" in refused.stderr
