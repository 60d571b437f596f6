"""Settings of the test suite: the same as everywhere, with fixed secrets and a database of its own."""

import atexit
import os
import shutil
import tempfile

# A folder for each process: test runs beside each other share no database file and no lock.
_data_dir = tempfile.mkdtemp(prefix="gatewayz-tests-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)

# Tests must not depend on, or touch, an installation's own secrets and data; set before gatewayz.env is read.
os.environ.update(  # noqa: TID251
    SECRET_KEY="test-secret-key",
    KEY_PEPPER="test-pepper",
    RECEIPT_KEYS="q0n2Wm8vZ3dJ5xYhR7uKcT4aEoLs6bGfPiD1Xk9MtQw",
    KEYRING="RfiGyZjEI4AP3LpXfkRbzZWMHUiiYQAx5sD0E0ot5pE=",
    GATEWAYZ_DATA_DIR=_data_dir,
    SANDBOX="true",
    STRIPE_SECRET_KEY="",
)

from gatewayz.settings.main import *

ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
# Files are looked for when asked for, not all of them for each client of each test.
WHITENOISE_AUTOREFRESH = True
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
# One gateway serves the whole suite, which makes its hosts fail all the time: breakers are tested with circuits of their
# own and with processes that have the real numbers.
BREAKER_FAILURES = BREAKER_LEAST_REQUESTS = 10**6
# The same goes for velocity mode.
VELOCITY_LEAST_REQUESTS = 10**6
# A test must know which host is asked.
EXPLORATION_SHARE = 0.0
if EMBEDDED:
    # A file, not memory: the ledger's threads and the served application share it, as in an installation.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # Two runs on one server must not meet.
    DATABASES["default"]["TEST"] = {"NAME": f"test_gatewayz_{os.getpid()}"}
    REDIS_PREFIX = f"test-{os.getpid()}"
