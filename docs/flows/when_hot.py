"""When a lead becomes Hot, do this once.

It remembers in when_hot.db what was done, by phone, extraction and status, and how far it has read. What was Hot when
it first starts counts as done.
"""

import json
import os
import sqlite3
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# Such as http://localhost:4000/users/5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3, and whom to call.
TENANT, HOOK = os.environ["TENANT_URL"], os.environ["HOOK_URL"]

memory = sqlite3.connect("when_hot.db", isolation_level=None)
memory.execute("CREATE TABLE IF NOT EXISTS done (change TEXT PRIMARY KEY)")
memory.execute("CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, token TEXT)")


def take(change, was_there=False):
    key = "/".join(str(change[name]) for name in ("customer_phone", "extraction_id", "lead_status"))
    is_done = memory.execute("SELECT 1 FROM done WHERE change = ?", [key]).fetchone()
    if change["lead_status"] == "Hot" and not change.get("withdrawn") and not is_done:
        if not was_there:
            # After a crash before the next line it comes again: whoever is called has to take each key once.
            urlopen(Request(HOOK, json.dumps(change).encode(), {"Idempotency-Key": key})).close()
        memory.execute("INSERT INTO done VALUES (?)", [key])


def begin(was_there):
    token = json.load(urlopen(f"{TENANT}/status-changes"))["next"]
    for line in urlopen(f"{TENANT}/leads/status-history.ndjson"):
        take(json.loads(line), was_there)
    return token


row = memory.execute("SELECT token FROM place").fetchone()
token = row[0] if row else begin(was_there=True)
while True:
    memory.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", [token])
    try:
        page = json.load(urlopen(f"{TENANT}/status-changes?since={token}&wait=20"))
    except HTTPError as error:
        if error.code != 410:
            raise
        token = begin(was_there=False)
        continue
    for change in page["data"]:
        take(change)
    token = page["next"]
