"""When a lead becomes Hot, do this once.

It remembers in when_hot.db what was done, by phone, extraction and status, and how far it has read. What was Hot when
it first starts counts as done. It goes on after any failure, and after a restart.
"""

import json
import os
import sqlite3
import time
from http.client import HTTPException
from urllib.request import Request, urlopen

# Such as http://localhost:4000/users/5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3, and whom to call.
TENANT, HOOK = os.environ["TENANT_URL"], os.environ["HOOK_URL"]

memory = sqlite3.connect("when_hot.db", isolation_level=None)
memory.execute("CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, token TEXT)")


def recall(name):
    return memory.execute("SELECT token FROM memory WHERE name = ?", [name]).fetchone()


def remember(name, token=""):
    memory.execute("INSERT OR REPLACE INTO memory VALUES (?, ?)", [name, token])


while True:
    place = recall("place")
    try:
        since = f"?since={place[0]}&wait=20" if place and place[0] else ""
        page = json.load(urlopen(f"{TENANT}/status-changes{since}"))
        changes = page["data"]
        if not since:
            changes = map(json.loads, urlopen(f"{TENANT}/leads/status-history.ndjson").read().splitlines())
        for change in changes:
            key = "/".join(str(change[name]) for name in ("customer_phone", "extraction_id", "lead_status"))
            if change["lead_status"] == "Hot" and not change.get("withdrawn") and not recall(key):
                if place:
                    # After a crash before the next line it comes again: whoever is called has to take each key once.
                    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
                    urlopen(Request(HOOK, json.dumps(change).encode(), headers)).close()
                remember(key)
        remember("place", page["next"])
    except (OSError, HTTPException) as error:
        print(error)
        if getattr(error, "code", None) == 410:
            remember("place")
        time.sleep(1)
