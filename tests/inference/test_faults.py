"""What of a provider's rejection reaches the client: the field, spelled as everywhere."""

import orjson
import pytest

from apps.inference.faults import from_status


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ("messages.[1].role", "messages[1].role"),
        ("messages.1.content.0.text", "messages[1].content[0].text"),
        ("messages[1].role", "messages[1].role"),
        ("logit_bias.123", "logit_bias.123"),
        ("see https://x", None),
        (7, None),
    ],
)
def test_field_is_named_by_its_path_when_a_provider_spells_it_otherwise(said, param):
    fault = from_status(400, {}, orjson.dumps({"error": {"message": "no", "param": said}}))

    assert fault.client_error is not None
    assert fault.client_error.param == param
