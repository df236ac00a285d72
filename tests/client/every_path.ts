// Calls every path of the API by the types of openapi-typescript, and prints the status of each answer.
import createClient from "openapi-fetch";
import type { Lead, paths } from "./leads-api";

declare const process: { argv: string[]; stdout: { write(text: string): void } };

const [, , baseUrl = "", user_id = "", customer_phone = ""] = process.argv;
const api = createClient<paths>({ baseUrl });
const of_tenant = { params: { path: { user_id } } };
const of_lead = { params: { path: { user_id, customer_phone } } };
const of_days = { params: { path: { user_id }, query: { from_date: "2025-06-01", to_date: "2026-03-29" } } };

// The compiler misses a path that is not here.
const calls: Record<keyof paths, () => Promise<{ response: Response }>> = {
  "/users/{user_id}/leads": () => api.GET("/users/{user_id}/leads", of_tenant),
  "/users/{user_id}/leads/attributes": () => api.GET("/users/{user_id}/leads/attributes", of_tenant),
  "/users/{user_id}/leads/stats": () => api.GET("/users/{user_id}/leads/stats", of_tenant),
  "/users/{user_id}/leads/stats/series": () => api.GET("/users/{user_id}/leads/stats/series", of_days),
  "/users/{user_id}/leads/facets": () => api.GET("/users/{user_id}/leads/facets", of_tenant),
  "/users/{user_id}/leads/lookup": () =>
    api.POST("/users/{user_id}/leads/lookup", { ...of_tenant, body: { customer_phones: [customer_phone] } }),
  "/users/{user_id}/leads/{customer_phone}": () =>
    api.GET("/users/{user_id}/leads/{customer_phone}", of_lead),
  "/users/{user_id}/leads/stats/funnel": () => api.GET("/users/{user_id}/leads/stats/funnel", of_tenant),
  "/users/{user_id}/leads/{customer_phone}/history": () =>
    api.GET("/users/{user_id}/leads/{customer_phone}/history", of_lead),
  "/users/{user_id}/status-changes": () => api.GET("/users/{user_id}/status-changes", of_tenant),
  "/users/{user_id}/leads/status-history.csv": () =>
    api.GET("/users/{user_id}/leads/status-history.csv", { ...of_tenant, parseAs: "text" }),
  "/users/{user_id}/leads/status-history.ndjson": () =>
    api.GET("/users/{user_id}/leads/status-history.ndjson", { ...of_tenant, parseAs: "text" }),
  "/users/{user_id}/leads/{customer_phone}/messages": () =>
    api.GET("/users/{user_id}/leads/{customer_phone}/messages", of_lead),
  "/users/{user_id}/lead-changes": () => api.GET("/users/{user_id}/lead-changes", of_tenant),
  "/users/{user_id}/leads.csv": () =>
    api.GET("/users/{user_id}/leads.csv", { ...of_tenant, parseAs: "text" }),
  "/users/{user_id}/leads.ndjson": () =>
    api.GET("/users/{user_id}/leads.ndjson", { ...of_tenant, parseAs: "text" }),
  "/users/{user_id}/messages.ndjson": () =>
    api.GET("/users/{user_id}/messages.ndjson", { ...of_tenant, parseAs: "text" }),
  "/health/live": () => api.GET("/health/live"),
  "/health/ready": () => api.GET("/health/ready"),
  "/metrics": () => api.GET("/metrics", { parseAs: "text" }),
  "/openapi.json": () => api.GET("/openapi.json"),
};

const statuses: Record<string, number> = {};
for (const [path, call] of Object.entries(calls)) {
  statuses[path] = (await call()).response.status;
}
// Without `fields` a lead has all its keys.
const { data } = await api.GET("/users/{user_id}/leads/{customer_phone}", of_lead);
const lead = data?.data as Lead;
process.stdout.write(JSON.stringify({ statuses, phone: lead.customer_phone }));
