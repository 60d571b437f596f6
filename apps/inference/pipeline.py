"""The story of a request: authenticate → admit → plan → attempt → settle.

    identify     whose key is this                                  keys/authenticate.py
    gate.enter   is there room for one more                         gate.py
    read_body    is the body what its wire says                     requests/
    enter        was this answered before, under the same key        idempotency.py
    expand       what was said before, for a client that names it   conversations.py
    choose       which model, which hosts, in which order           choosing.py, planner.py
    take_slot    is the key within its limits                       keys' limits, common/ratelimit.py
    enter        is the answer there, for a client that wants it so response_cache.py
    place_hold   is the expected cost covered                       billing/services/ledger.py
    run          ask hosts until one answers; stream it             attempts.py, upstream.py
    close        bill what happened, write the record               closing.py, outcomes.py, settlement.py

Whatever happens after a slot or a hold was taken, ``close`` gives it back; a cancelled request is closed like any other.
"""

import asyncio

import structlog

from apps.common.consumers import ClientTooSlow
from apps.common.errors import (
    AllProvidersFailed,
    GatewayzError,
    InternalError,
    ServiceUnavailable,
)
from apps.inference import (
    admission,
    choosing,
    closing,
    conversations,
    counting,
    idempotency,
    metrics,
    response_cache,
)
from apps.inference.attempts import AnswerBroken, Attempts
from apps.inference.context import RequestContext
from apps.inference.cover import AnswerStopped
from apps.inference.delivery import Client
from apps.inference.faults import WITHOUT_CONTENT
from apps.inference.models import Outcome
from apps.inference.recording import Answered
from apps.inference.runtime import current
from apps.inference.settlement import LEDGER_AWAY

log = structlog.get_logger(__name__)

STOPPING = ServiceUnavailable("The gateway is being restarted. Nothing was charged; try again.")


async def serve(context: RequestContext, client: Client) -> None:
    """Answer the client. Raises GatewayzError when nothing was sent yet, AnswerBroken when something was."""
    runtime = current()
    outcome: Outcome = Outcome.CLIENT_GONE
    error: GatewayzError | None = None
    is_inside = False
    metrics.in_flight.inc()
    try:
        if not context.is_within:
            await admission.identify(context)
            assert context.key is not None
            runtime.gate.enter(percent=context.key.admission_percent)
            is_inside = True
        body = admission.read_body(context)
        client = await idempotency.enter(context, body, client, runtime)
        if context.surface.is_kept:
            assert isinstance(body, dict)
            body = await conversations.expand(context, body)
        nobody: AllProvidersFailed | None = None
        try:
            await choosing.choose(context, body, runtime)
        except AllProvidersFailed as refusal:
            if not response_cache.is_asked_for(context):
                raise
            nobody = refusal
        if not context.is_within:
            await admission.take_slot(context, runtime)
        client = await response_cache.enter(context, body, client, runtime, serve)
        if nobody is not None:  # and no answer was kept
            raise nobody
        if context.surface.is_billed:
            await admission.place_hold(context, runtime)
        if context.targets:
            await Attempts(context, client, body, runtime).run()
        else:
            await counting.answer(context, client)
        outcome = Outcome.COMPLETED
    except Answered:
        outcome = Outcome.COMPLETED
    except AnswerStopped as stopped:
        outcome, error = Outcome.STOPPED, stopped.client_error
        raise
    except AnswerBroken as broken:
        outcome, error = Outcome.INTERRUPTED, broken.client_error
        raise
    except GatewayzError as refused:
        attempts = context.progress.attempts
        was_empty = bool(attempts) and attempts[-1].fault in WITHOUT_CONTENT
        outcome, error = Outcome.EMPTY if was_empty else Outcome.FAILED, refused
        raise
    except asyncio.CancelledError:
        if context.progress.is_complete:  # it left when it had everything
            outcome = Outcome.COMPLETED
        elif not client.is_gone:  # the server is stopping: the answer is broken, and that is ours
            outcome = Outcome.INTERRUPTED if context.progress.delivered else Outcome.FAILED
            error = STOPPING
        raise
    except ClientTooSlow:
        raise  # the outcome is still that the client went away
    except LEDGER_AWAY as away:
        log.error("request.database_away", request_id=context.id, error=type(away).__name__)
        outcome, unavailable = Outcome.FAILED, ServiceUnavailable("The database cannot be reached.")
        error = unavailable
        raise unavailable from away
    except Exception as unexpected:
        log.error("request.crashed", request_id=context.id, exc_info=unexpected)
        outcome, crash = Outcome.FAILED, InternalError("Something went wrong on our side.")
        error = crash
        raise crash from unexpected
    finally:
        metrics.in_flight.dec()
        if is_inside:
            runtime.gate.leave()
        closing.close(context, runtime, outcome, error)
        for step in context.at_end:
            await step()
