// How the functions of orval send a request: its own reads every answer as JSON, the table and the metrics too.
declare const process: { argv: string[] };

export async function send<T>(address: string, options: RequestInit): Promise<T> {
  const answer = await fetch(`${process.argv[2]}${address}`, options);
  const is_json = answer.headers.get("Content-Type") === "application/json";
  const data: unknown = is_json ? await answer.json() : await answer.text();
  return { data, status: answer.status, headers: answer.headers } as T;
}
