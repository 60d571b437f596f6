"""Product knobs. Defaults of rows that staff can edit, and limits of the service itself."""

from datetime import timedelta

from gatewayz import env
from gatewayz.settings.services import EMBEDDED

SANDBOX_ENABLED = env.flag("SANDBOX") if env.text("SANDBOX") else EMBEDDED
SANDBOX_URL = env.text("SANDBOX_URL")

TRIAL_CREDIT_USD = "10"
# Coupons and other codes that do not exist, or are another's: so many an organisation may try in an hour.
WRONG_CODES_PER_HOUR = 20

# Requests that one web process serves at a time; what a plan's part of them is, its row says.
MAX_IN_FLIGHT = env.integer("MAX_IN_FLIGHT", least=1)
# Limits shrink while so many requests fail at their providers (decisions page, "Limits").
VELOCITY_FAILURE_SHARE = 0.25
VELOCITY_LEAST_REQUESTS = 100
VELOCITY_WINDOW_SECONDS = 60.0
VELOCITY_SECONDS = 180.0

MAX_BODY_BYTES = 20 * 1024 * 1024
# Of forms with files: a recording may have 25 MB, as at OpenAI.
MAX_FORM_BYTES = 26 * 1024 * 1024
# Output that a hold covers at most. A worst-case hold (a model's whole maximum) would starve agents of their own credit.
EXPECTED_OUTPUT_TOKENS = 4096
MAX_ATTEMPTS = 6
# A host that fails is left alone for a while (decisions page, "Routing"; docs/routing.md).
BREAKER_FAILURES = 5
BREAKER_FAILURE_SHARE = 0.5
BREAKER_LEAST_REQUESTS = 10
BREAKER_WINDOW_SECONDS = 60.0
BREAKER_COOL_DOWN_SECONDS = 15.0
BREAKER_SUCCESSES = 2
# For the first content of a host that has just been down, or as long as it usually takes; where that may be long, until another is asked beside it.
BREAKER_PROBE_SECONDS = 4.0
# One that tries such a host says three times in so long that it still does; if not, the next request may try.
BREAKER_CLAIM_SECONDS = 30.0
# For an unstreamed answer while another host is left: it shows nothing until it is written (docs/routing.md).
WHOLE_ANSWER_SECONDS = 60.0
# Longest that a client is told to wait because its hosts say so.
MOST_RETRY_AFTER_SECONDS = 60.0
# Of requests that go to the second-best host, so that what is known of it stays true.
EXPLORATION_SHARE = 0.02
# A key stays with the host that served it last while that is at most so much dearer than the best: its prompts are cached there.
STICKY_MARGIN = 0.25
STICKY_SECONDS = 600.0
# A client that reads nothing for so long is taken for gone.
SLOWEST_READ_SECONDS = 60.0

# Responses that a client stored are forgotten after so long, as at OpenAI.
RESPONSES_KEPT_FOR = timedelta(days=30)

# Answers that are kept to be given again, for Idempotency-Key and for the response cache.
IDEMPOTENCY_KEPT_SECONDS = env.integer("IDEMPOTENCY_KEPT_SECONDS", least=60)
KEPT_ANSWERS = env.integer("KEPT_ANSWERS", least=1)
KEPT_ANSWERS_BYTES = env.integer("KEPT_ANSWERS_MEGABYTES", least=1) * 1024 * 1024
# How long the response cache keeps an answer when the request and its key do not say.
CACHE_SECONDS = 3600
# Turns questions into vectors, by an id of the catalogue; without one there is no semantic cache.
SEMANTIC_CACHE_MODEL = env.text("SEMANTIC_CACHE_MODEL") or (
    "sandbox/embedding" if SANDBOX_ENABLED else ""
)
# A question means the same when the cosine of the angle between the vectors is larger.
SEMANTIC_CACHE_SIMILARITY = 0.95
# How long a question waits for its vector; then it is asked as if nobody had asked for a similar answer.
SEMANTIC_CACHE_SECONDS = 2.0
LARGEST_KEPT_ANSWER = min(16 * 1024 * 1024, KEPT_ANSWERS_BYTES // 8)

# Of what an answer would have cost here, when the customer's own key at the provider is used.
BYOK_FEE_BP = env.basis_points("BYOK_FEE_PERCENT")
# A price that a source tells waits for staff when a number of it differs by more from the one in force.
PRICE_CHANGE_BP = env.basis_points("PRICE_CHANGE_PERCENT")
# Of an organisation: after each, every process reads the API keys in use anew.
PROVIDER_KEY_CHANGES_PER_MINUTE = 30

# Payments (docs/payments.md). Without the secret key and the webhook's secret there are none.
STRIPE_SECRET_KEY = env.text("STRIPE_SECRET_KEY")
STRIPE_PUBLISHABLE_KEY = env.text("STRIPE_PUBLISHABLE_KEY")
STRIPE_WEBHOOK_SECRETS = env.items("STRIPE_WEBHOOK_SECRET")
STRIPE_API_BASE = env.text("STRIPE_API_BASE").rstrip("/")
STRIPE_TIMEOUT_SECONDS = 20.0
STRIPE_RETRIES = 2
TOP_UP_FEE_BP = env.basis_points("TOP_UP_FEE_PERCENT")
TOP_UP_LEAST_CENTS = 5_00
TOP_UP_MOST_CENTS = 10_000_00
REFUND_DAYS = env.integer("REFUND_DAYS", least=0)
# Stripe waits for a webhook's answer. The calls to Stripe that answering takes end by then; what is left the job does.
WEBHOOK_SECONDS = 8.0
# A webhook whose processing fails is tried again after 30 s, then twice as long each time, so often.
EVENT_ATTEMPTS = 12
EVENT_RETRY_SECONDS = 30
# An order that is still open after so long is compared with Stripe, and again each time it has passed.
ORDER_CHECKED_AFTER = timedelta(minutes=10)
# Stripe keeps an idempotency key for a day: after that a call whose answer was lost is looked up, not repeated.
ORDER_REPEATED_FOR = timedelta(hours=20)
# A payment intent that nobody confirms has no end of its own.
ORDER_EXPIRES_AFTER = timedelta(days=7)
# A subscription of which no webhook tells is compared with Stripe all the same.
SUBSCRIPTION_CHECKED_AFTER = timedelta(days=1)
AUTO_TOP_UP_FAILURES = 3
AUTO_TOP_UP_RETRY = timedelta(hours=1)

HOLD_LEASE = timedelta(seconds=env.integer("HOLD_LEASE_SECONDS", least=2))
METRICS_TOKEN = env.text("METRICS_TOKEN")

# Probes (docs/health.md). A tier is asked every so many seconds, and an answer waited for so many.
PROBE_MONTHLY_BUDGET = env.dollars("PROBE_MONTHLY_USD")
PROBES_KEPT_FOR = timedelta(days=env.integer("PROBES_KEPT_DAYS", least=31))
PROBE_TIERS = {
    "critical": (300, 30.0),
    "popular": (1800, 45.0),
    "standard": (7200, 60.0),
    "on_demand": (0, 30.0),
}
PROBE_BATCH = 50
PROBES_AT_ONCE = 20

# Reconciliation (docs/reconciliation.md): days that are compared anew every day, for records that came late.
RECONCILED_FOR = timedelta(days=14)

# Balances at providers (docs/health.md). Rough rates, to know when to warn.
LOW_UPSTREAM_BALANCE = env.dollars("LOW_UPSTREAM_BALANCE_USD")
LOW_CREDIT = env.dollars("LOW_CREDIT_USD")
UNITS_PER_USD = {"USD": 1, "CNY": 7}

# Reads the secret of a provider by the name of its environment variable, which may be none of the gateway's own; apps
# may not import gatewayz.
PROVIDER_SECRET = env.provider_secret
OWN_VARIABLES = env.OWN_VARIABLES
