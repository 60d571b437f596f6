"""What is stored of a conversation, and how it returns."""

from apps.inference.protocols.openai_responses.conversation import (
    input_items,
    output_items,
    referenced_ids,
    with_history,
    with_references,
)

USER = {"role": "user", "content": "hi"}
ANSWER = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "content": [],
}
SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "g"}
REFERENCE = {"type": "item_reference", "id": "msg_1"}


def test_text_becomes_a_whole_item():
    [item] = input_items({"input": "hi"})

    assert item["content"] == [{"type": "input_text", "text": "hi"}]
    assert item["id"].startswith("msg_")
    assert (item["type"], item["role"], item["status"]) == ("message", "user", "completed")


def test_items_get_ids_that_stay():
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    body = {"input": [USER, USER, ANSWER, output]}

    items = input_items(body)

    assert items == input_items(body)
    assert len({item["id"] for item in items}) == 4
    assert items[2]["id"] == "msg_1"
    assert items[3]["id"].startswith("fco_")


def test_history_stands_before_the_input():
    body = {"model": "m", "input": "more", "previous_response_id": "resp_1", "instructions": "x"}

    expanded = with_history(body, [USER, SEALED, ANSWER])

    assert expanded["input"] == [
        USER,
        SEALED,
        {"type": "message", "role": "assistant", "content": []},
        {"role": "user", "content": "more"},
    ]
    assert "previous_response_id" not in expanded
    assert body["previous_response_id"] == "resp_1"


def test_references_are_replaced_by_what_they_name():
    body = {"input": [REFERENCE, {"type": "item_reference", "id": "gone"}, USER]}

    found = with_references(body, {"msg_1": ANSWER})

    assert referenced_ids(body) == ["msg_1", "gone"]
    assert found["input"][0]["role"] == "assistant"
    assert referenced_ids(found) == ["gone"]
    assert with_references({"input": "hi"}, {}) == {"input": "hi"}
    assert referenced_ids({"input": "hi"}) == []


def test_output_is_kept_as_it_is():
    assert output_items({"output": [ANSWER, None]}) == [ANSWER]
    assert output_items({}) == []
