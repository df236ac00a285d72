// When a lead becomes Hot, do this once.
//
// It remembers in when_hot.json what was done, by phone, extraction and status, and how far it has read. What was Hot
// when it first starts counts as done. It goes on after any failure, and after a restart.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

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

async function ask(url: string, request?: RequestInit): Promise<string> {
  const answer = await fetch(url, request);
  if (answer.status === 410) memory.token = "";
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return answer.text();
}

for (;;) {
  const isFirst = memory.token === undefined;
  const since = memory.token ? `?since=${memory.token}&wait=20` : "";
  try {
    const page = JSON.parse(await ask(`${TENANT_URL}/status-changes${since}`));
    if (!since) {
      const lines = (await ask(`${TENANT_URL}/leads/status-history.ndjson`)).split("\n");
      page.data = lines.slice(0, -1).map((line) => JSON.parse(line));
    }
    for (const change of page.data) {
      const key = [change.customer_phone, change.extraction_id, change.lead_status].join("/");
      if (change.lead_status !== "Hot" || change.withdrawn || memory.done.includes(key)) continue;
      // After a crash before the next line it comes again: whoever is called has to take each key once.
      const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
      const call = { method: "POST", headers, body: JSON.stringify(change) };
      if (!isFirst) await ask(HOOK_URL, call);
      memory.done.push(key);
      remember();
    }
    memory.token = page.next;
    remember();
  } catch (error) {
    console.error(error);
    await setTimeout(1000);
  }
}
