#!/usr/bin/env python3
"""Django's command line."""

import os
import sys


def main() -> None:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.exit(f"gatewayz: Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gatewayz.settings.main")  # noqa: TID251
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
