"""Balances: asking providers what is left in the house's accounts.

    read_due() ──► claim ──► ask ──► read ──► note it down, say when it is low, tell routing when it is spent

Whatever a provider answers, the row says what was wrong, and what was known stays for a while. A balance is no reason
to stop asking a provider: it is only asked after the others.
"""

import datetime

import structlog
import urllib3
from django.conf import settings
from django.db.models import Q

from apps.catalog.models import Provider, UpstreamBalance
from apps.catalog.providers.balances import BalanceUnreadable, Reading, read
from apps.catalog.providers.registry import spec_of
from apps.catalog.providers.spec import BalanceFeed, auth_headers
from apps.catalog.reach import base_url_of, headers_of, secret_of, variables_of, why_not_asked
from apps.catalog.services.fetching import AGENT
from apps.common import clock

log = structlog.get_logger(__name__)

EVERY = datetime.timedelta(minutes=50)
"""The job comes each hour; a second worker, or a second run, finds it done."""
BELIEVED_FOR = datetime.timedelta(hours=6)
"""That an account is empty; when nobody can be asked for longer, somebody may have paid."""
TIMEOUT = urllib3.Timeout(connect=10, read=20)
MOST_BYTES = 2**16


def read_due() -> int:
    """How many were asked."""
    now = clock.now()
    number = 0
    for row in Provider.objects.filter(enabled=True):
        if (feed := feed_of(row)) is None or why_not_asked(row):
            continue
        balance, _ = UpstreamBalance.objects.get_or_create(provider=row)
        if _claim(balance, now):
            number += 1
            _take(row, balance, feed)
    return number


def read_now(slug: str) -> UpstreamBalance:
    """Whenever it was last read. Raises Provider.DoesNotExist."""
    row = Provider.objects.get(slug=slug)
    balance, _ = UpstreamBalance.objects.get_or_create(provider=row)
    feed = feed_of(row)
    if reason := why_not_asked(row) or ("" if feed else "no such place is known"):
        balance.error = f"Not asked: {reason}."
        balance.save(update_fields=["error"])
    elif feed is not None:
        balance.attempted_at = clock.now()
        _take(row, balance, feed)
    return balance


def feed_of(row: Provider) -> BalanceFeed | None:
    """None too where the operator's own address stands for the provider and the feed is elsewhere: the key stays there."""
    feed = spec_of(row.slug, row.wire).balance
    return None if feed is not None and row.base_url and "://" in feed.path else feed


def _claim(balance: UpstreamBalance, now: datetime.datetime) -> bool:
    """One statement, so that two workers cannot both."""
    free = Q(attempted_at=None) | Q(attempted_at__lt=now - EVERY)
    mine = UpstreamBalance.objects.filter(free, pk=balance.pk).update(attempted_at=now)
    balance.attempted_at = now
    return bool(mine)


def _take(row: Provider, balance: UpstreamBalance, feed: BalanceFeed) -> None:
    try:
        found = read(feed, _ask(row, feed))
    except BalanceUnreadable as error:
        log.warning("balance.unreadable", provider=row.slug, reason=str(error))
        _note_failure(row, balance, str(error))
        return
    was_low = balance.is_low
    balance.amount, balance.currency, balance.error = found.amount, found.currency, ""
    balance.read_at, balance.is_low = balance.attempted_at, _is_low(found)
    balance.save()
    if balance.is_low and not was_low:
        log.warning("balance.low", provider=row.slug, balance=balance.words, spent=found.is_spent)
    elif was_low and not balance.is_low:
        log.info("balance.recovered", provider=row.slug, balance=balance.words)
    _set_spent(row, is_spent=found.is_spent)


def _note_failure(row: Provider, balance: UpstreamBalance, reason: str) -> None:
    balance.error = reason[:300]
    balance.save(update_fields=["error", "attempted_at"])
    if balance.read_at is None or clock.now() - balance.read_at > BELIEVED_FOR:
        _set_spent(row, is_spent=False)


def _set_spent(row: Provider, *, is_spent: bool) -> None:
    """Only a change is written: a statement, even one that finds no row, makes every process load the catalogue again."""
    if row.is_spent is is_spent:
        return
    row.is_spent = is_spent
    row.save(update_fields=["is_spent", "updated_at"])
    log.info("balance.routing", provider=row.slug, spent=is_spent)


def _is_low(found: Reading) -> bool:
    """A unit that no dollars are known for is low when nothing is left of it."""
    rate = settings.UNITS_PER_USD.get(found.currency)
    if found.is_spent or rate is None:
        return found.is_spent
    return found.amount < settings.LOW_UPSTREAM_BALANCE * rate


def _ask(row: Provider, feed: BalanceFeed) -> bytes:
    """A redirect is an error: the secret that goes along is meant for one host. Raises BalanceUnreadable."""
    spec = spec_of(row.slug, row.wire)
    url = feed.path if "://" in feed.path else base_url_of(row, spec) + feed.path
    headers = {
        "accept": "application/json",
        "user-agent": AGENT,
        **headers_of(spec, variables_of(spec)),
        **auth_headers(feed.auth or spec.auth, secret_of(row, spec)),
    }
    try:
        with (
            urllib3.PoolManager() as pool,
            pool.request(
                feed.method,
                url,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=TIMEOUT,
            ) as response,
        ):
            if response.status != 200:
                raise BalanceUnreadable(f"It was answered with status {response.status}.")
            body: bytes = response.read(MOST_BYTES + 1, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise BalanceUnreadable(f"It could not be fetched: {type(error).__name__}.") from error
    if len(body) > MOST_BYTES:
        raise BalanceUnreadable("The answer has no end.")
    return body
