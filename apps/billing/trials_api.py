"""Trials: POST /v1/trial/start, GET /v1/trial/status, and /v1/partner-trials for those of partners' codes."""

from django.http import HttpRequest
from ninja import Router

from apps.billing.models import EntryKind, Trial
from apps.billing.promotion_schemas import (
    CodeInput,
    DailyLimit,
    DailyLimitBody,
    PartnerCheck,
    PartnerCheckBody,
    PartnerTerms,
    PartnerTermsBody,
    TrialBody,
    TrialInfo,
)
from apps.billing.selectors import expiring_credit, find_trial
from apps.billing.services import guesses, partner_trials, statements, trials
from apps.common import clock
from apps.common.db import to_iso
from apps.common.errors import CodeRefused
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of

router = Router(tags=["Trials"])


@router.post("/trial/start", response=TrialBody, summary="Begin the trial")
def start_trial(request: HttpRequest) -> TrialBody:
    """One for each organisation and each person; the owner's e-mail address must be verified."""
    return _body(trials.start(organization_of(request)))


@router.get("/trial/status", response=TrialBody, summary="The trial and what is left of it")
def read_trial(request: HttpRequest) -> TrialBody:
    return _body(find_trial(organization_of(request)))


@router.get(
    "/partner-trials/config/{code}",
    response=PartnerTermsBody,
    auth=None,
    summary="What a partner's code gives",
)
def read_partner_terms(request: HttpRequest, code: str) -> PartnerTermsBody:
    offer = partner_trials.find_offer(code)
    return PartnerTermsBody(
        data=PartnerTerms(
            code=offer.code,
            partner=offer.partner,
            days=offer.terms.days,
            credit=nano_to_usd(offer.terms.credit),
            credit_nano_usd=offer.terms.credit,
            tokens=offer.terms.tokens,
            requests=offer.terms.requests,
            valid_until=to_iso(offer.valid_until),
        )
    )


@router.get(
    "/partner-trials/check/{code}",
    response=PartnerCheckBody,
    auth=None,
    summary="Whether a partner's code can be used now",
)
def check_partner_code(request: HttpRequest, code: str) -> PartnerCheckBody:
    offer = partner_trials.find_offer(code)
    reason = None
    try:
        partner_trials.require_open(offer)
    except CodeRefused as refused:
        reason = refused.code
    return PartnerCheckBody(
        data=PartnerCheck(code=offer.code, is_open=reason is None, reason=reason)
    )


@router.post(
    "/partner-trials/start", response=TrialBody, summary="Begin the trial with a partner's code"
)
def start_partner_trial(request: HttpRequest, asked: CodeInput) -> TrialBody:
    """It is the one trial that an organisation and a person get, under the partner's terms."""
    return _body(guesses.attempt(partner_trials.start, organization_of(request), code=asked.code))


@router.get("/partner-trials/status", response=TrialBody, summary="The partner's trial")
def read_partner_trial(request: HttpRequest) -> TrialBody:
    trial = find_trial(organization_of(request))
    return _body(trial if trial is not None and trial.offer is not None else None)


@router.get("/partner-trials/daily-limit", response=DailyLimitBody, summary="What was spent today")
def read_daily_limit(request: HttpRequest) -> DailyLimitBody:
    today = statements.read_day(organization_of(request), clock.now().date())
    spent = -today.changes.get(EntryKind.SETTLEMENT, 0)
    return DailyLimitBody(
        data=DailyLimit(
            limit_nano_usd=None, spent_today=nano_to_usd(spent), spent_today_nano_usd=spent
        )
    )


def _body(trial: Trial | None) -> TrialBody:
    if trial is None:
        return TrialBody(data=TrialInfo(status="none"))
    has_ended = trial.ended_at is not None or trial.ends_at <= clock.now()
    left = [
        lot.amount
        for lot in expiring_credit(trial.organization_id)
        if lot.reference == trial.reference
    ]
    return TrialBody(
        data=TrialInfo(
            status="ended" if has_ended else "active",
            partner=trial.offer.partner if trial.offer else None,
            credit=nano_to_usd(trial.credit),
            credit_nano_usd=trial.credit,
            credit_left_nano_usd=0 if has_ended else sum(left),
            tokens=trial.tokens,
            tokens_used=trial.tokens_used,
            requests=trial.requests,
            requests_used=trial.requests_used,
            started_at=to_iso(trial.started_at),
            ends_at=to_iso(trial.ends_at),
            ended_at=to_iso(trial.ended_at or (trial.ends_at if has_ended else None)),
            end_reason=trial.end_reason or ("time" if has_ended else None),
        )
    )
