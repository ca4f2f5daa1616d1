"""Check that the Debian packages for `make test-full` are present: install them as root, otherwise name them.

Fails at once with the command to run, because a test skipped for a missing program would look like one that passed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

# required program -> package that provides it
NEEDED = {
    Path("/usr/lib/postgresql/15/bin/postgres"): "postgresql-15",
    Path("/usr/bin/chromium"): "chromium",
    Path("/usr/bin/xmlsec1"): "xmlsec1",
    Path("/usr/share/simplesamlphp/www/index.php"): "simplesamlphp",
    Path("/usr/sbin/slapd"): "slapd",
    Path("/usr/sbin/samba"): "samba-ad-dc",
    Path("/usr/share/samba/setup/ad-schema"): "samba-ad-provision",
    Path("/usr/lib/x86_64-linux-gnu/samba/ldb/samba_dsdb.so"): "samba-dsdb-modules",
    Path("/usr/bin/php"): "php-cli",
    Path("/etc/php/8.2/mods-available/dom.ini"): "php-xml",
    Path("/etc/php/8.2/mods-available/mbstring.ini"): "php-mbstring",
}


def main() -> int:
    missing = sorted({package for program, package in NEEDED.items() if not program.exists()})
    if not missing:
        return 0
    update = ["apt-get", "update", "-qq"]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    line = f"sudo {shlex.join(update)} && sudo {shlex.join(install)}"
    if os.geteuid() != 0:
        print(f"make test-full needs {', '.join(missing)} from Debian. Type:\n  {line}", file=sys.stderr)
        return 1
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (update, install):
            subprocess.run(command, check=True, env=environment, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as failed:
        print(f"Could not install {', '.join(missing)}: {failed}. Type:\n  {line}", file=sys.stderr)
        return 1
    still = [str(program) for program in NEEDED if not program.exists()]
    if still:
        print(f"Still missing after the installation: {', '.join(still)}", file=sys.stderr)
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
