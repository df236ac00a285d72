// When a lead becomes Hot, do this once.
//
// It remembers in when_hot.json what was done, by phone, extraction and status, and how far it has read. What was Hot
// when it first starts counts as done.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

interface Change {
  customer_phone: string;
  extraction_id: string;
  lead_status: string | null;
  withdrawn?: boolean;
}

// Such as http://localhost:4000/users/5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3, and whom to call.
const { TENANT_URL = "", HOOK_URL = "" } = process.env;
const FILE = "when_hot.json";
const memory: { token?: string; done: string[] } = existsSync(FILE)
  ? JSON.parse(readFileSync(FILE, "utf8"))
  : { done: [] };

function remember(): void {
  writeFileSync(`${FILE}.new`, JSON.stringify(memory));
  renameSync(`${FILE}.new`, FILE);
}

async function ask(path: string): Promise<Response> {
  const answer = await fetch(TENANT_URL + path);
  if (!answer.ok && answer.status !== 410) throw new Error(await answer.text());
  return answer;
}

async function take(change: Change, wasThere = false): Promise<void> {
  const key = [change.customer_phone, change.extraction_id, change.lead_status].join("/");
  if (change.lead_status !== "Hot" || change.withdrawn || memory.done.includes(key)) return;
  if (!wasThere) {
    // After a crash before the next line it comes again: whoever is called has to take each key once.
    const headers = { "Idempotency-Key": key };
    const called = await fetch(HOOK_URL, { method: "POST", headers, body: JSON.stringify(change) });
    if (!called.ok) throw new Error(`${HOOK_URL} answers ${called.status}`);
  }
  memory.done.push(key);
  remember();
}

async function begin(wasThere: boolean): Promise<void> {
  const { next } = await (await ask("/status-changes")).json();
  const lines = await (await ask("/leads/status-history.ndjson")).text();
  for (const line of lines.split("\n").slice(0, -1)) await take(JSON.parse(line), wasThere);
  memory.token = next;
}

if (memory.token === undefined) await begin(true);
for (;;) {
  remember();
  const answer = await ask(`/status-changes?since=${memory.token}&wait=20`);
  if (answer.status === 410) {
    await begin(false);
    continue;
  }
  const page = await answer.json();
  for (const change of page.data) await take(change);
  memory.token = page.next;
}
