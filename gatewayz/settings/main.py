"""Settings of every installation: what differs between them is read from the environment by ``gatewayz.env``."""

from gatewayz.settings.base import *
from gatewayz.settings.gateway import *
from gatewayz.settings.logging import *
from gatewayz.settings.services import *
