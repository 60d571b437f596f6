"""Product knobs. Defaults of rows that staff can edit, and limits of the service itself."""

from datetime import timedelta

from gatewayz import env
from gatewayz.settings.services import EMBEDDED

SANDBOX_ENABLED = env.flag("SANDBOX") if env.text("SANDBOX") else EMBEDDED
SANDBOX_URL = env.text("SANDBOX_URL")

TRIAL_CREDIT_USD = "10"

# A key without limits of its own gets these (decisions page, "Limits", plan Dev).
DEFAULT_REQUESTS_PER_MINUTE = 250
DEFAULT_TOKENS_PER_MINUTE = 1_000_000
DEFAULT_CONCURRENCY = 10

MAX_BODY_BYTES = 20 * 1024 * 1024
# Output that a hold covers at most. A worst-case hold (a model's whole maximum) would starve agents of their own credit.
EXPECTED_OUTPUT_TOKENS = 4096
MAX_ATTEMPTS = 6
# A client that reads nothing for so long is taken for gone.
SLOWEST_READ_SECONDS = 60.0

# Responses that a client stored are forgotten after so long, as at OpenAI.
RESPONSES_KEPT_FOR = timedelta(days=30)

HOLD_LEASE = timedelta(seconds=env.integer("HOLD_LEASE_SECONDS", least=2))
METRICS_TOKEN = env.text("METRICS_TOKEN")

# Reads the secret of a provider by the name of its environment variable, which may be none of the gateway's own; apps
# may not import gatewayz.
PROVIDER_SECRET = env.provider_secret
OWN_VARIABLES = env.OWN_VARIABLES
