"""Settings of the test suite: the same as everywhere, with fixed secrets and a database of its own."""

import os
import tempfile
from pathlib import Path

# Tests must not depend on, or touch, an installation's own secrets and data; set before gatewayz.env is read.
os.environ.update(  # noqa: TID251
    SECRET_KEY="test-secret-key",
    KEY_PEPPER="test-pepper",
    KEYRING="RfiGyZjEI4AP3LpXfkRbzZWMHUiiYQAx5sD0E0ot5pE=",
    GATEWAYZ_DATA_DIR=tempfile.gettempdir() + "/gatewayz-tests",
    SANDBOX="true",
)

from gatewayz.settings.main import *

Path(DATA_DIR).mkdir(parents=True, exist_ok=True)
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
if EMBEDDED:
    # A file, not memory: the ledger's threads and the served application share it, as in an installation.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}
