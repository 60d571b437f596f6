"""Who is one person: addresses that reach one mailbox are one identity, and some addresses are nobody's for long.

An identity is kept as a hash under the pepper, so that what it was used for can be remembered without the address.
"""

from collections.abc import Iterator

from disposable_email_domains import blocklist

from apps.accounts.models import EmailDomainRule
from apps.common import crypto

SAME_HOST = {"googlemail.com": "gmail.com", "me.com": "icloud.com", "mac.com": "icloud.com"}
IGNORES_DOTS = frozenset({"gmail.com"})
"""https://support.google.com/mail/answer/7436150"""
HAS_TAGS = frozenset(
    {
        "gmail.com",
        "icloud.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "fastmail.com",
        "proton.me",
        "protonmail.com",
    }
)
"""What follows a ``+`` before the ``@`` is the owner's own note there."""


def normalize(email: str) -> str:
    """The address under which all spellings of one mailbox are the same."""
    local, _, domain = email.strip().lower().rpartition("@")
    domain = domain.rstrip(".")
    domain = SAME_HOST.get(domain, domain)
    if domain in HAS_TAGS:
        local = local.partition("+")[0]
    if domain in IGNORES_DOTS:
        local = local.replace(".", "")
    return f"{local}@{domain}"


def identity_of(email: str) -> str:
    """64 hex digits; the same for all spellings of one mailbox."""
    return crypto.lookup_hash(f"identity:{normalize(email)}")


def is_disposable(email: str) -> bool:
    """Whether the address is one that anybody may have for an hour. The rule of the narrowest domain decides."""
    domains = list(_domains(normalize(email).rpartition("@")[2]))
    rules = dict(
        EmailDomainRule.objects.filter(domain__in=domains).values_list("domain", "verdict")
    )
    for domain in domains:
        if domain in rules:
            return rules[domain] == EmailDomainRule.Verdict.DENY
        if domain in blocklist:
            return True
    return False


def _domains(domain: str) -> Iterator[str]:
    """The domain and those that it is below, the narrowest first."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]
