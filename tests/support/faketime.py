"""A library that gives a program another wall clock; `apt-get install faketime` on Debian."""

from pathlib import Path

FAKE_CLOCK = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
