"""Which lane a request takes towards a wire: passed on, verbatim or translated."""

from apps.catalog.providers.spec import Wire
from apps.inference.operations import Surface
from apps.inference.passing import PassingLane
from apps.inference.relay import Body, Lane
from apps.inference.translated import TranslatedLane
from apps.inference.verbatim import VERBATIM_WIRES, VerbatimLane


def lane_for(surface: Surface, wire: Wire, body: Body, *, most_output: int | None = None) -> Lane:
    """Raises InvalidRequest, naming the field, when the body cannot be written for this wire.

    ``most_output`` is the model's own limit at this host, in tokens.
    """
    if surface.is_passed_on:
        return PassingLane(surface.operation, body)
    assert isinstance(body, dict)
    if wire is surface.wire and wire in VERBATIM_WIRES:
        return VerbatimLane(wire, body)
    return TranslatedLane(surface.wire, wire, body, most_output=most_output)
