// Calls every operation of the API by the functions that orval has made, and prints the status of each answer.
import * as leads from "./leads";

declare const process: { argv: string[]; stdout: { write(text: string): void } };

const [, , , tenant = "", phone = ""] = process.argv;
const days = { from_date: "2025-06-01", to_date: "2026-03-29" };
const calls: Record<string, () => Promise<{ status: number }>> = {
  listLeads: () => leads.listLeads(tenant, { lead_status: ["Hot", "Warm"], limit: 3 }),
  getLeadStatistics: () => leads.getLeadStatistics(tenant),
  getLeadSeries: () => leads.getLeadSeries(tenant, days),
  getLeadFunnel: () => leads.getLeadFunnel(tenant, { by: "platform" }),
  getLeadFacets: () => leads.getLeadFacets(tenant),
  listLeadAttributes: () => leads.listLeadAttributes(tenant),
  lookupLeads: () => leads.lookupLeads(tenant, { customer_phones: [phone] }),
  getLead: () => leads.getLead(tenant, phone),
  getLeadHistory: () => leads.getLeadHistory(tenant, phone),
  getLeadMessages: () => leads.getLeadMessages(tenant, phone),
  listLeadChanges: () => leads.listLeadChanges(tenant),
  listStatusChanges: () => leads.listStatusChanges(tenant),
  exportLeadsAsCsv: () => leads.exportLeadsAsCsv(tenant),
  exportLeads: () => leads.exportLeads(tenant),
  exportStatusHistory: () => leads.exportStatusHistory(tenant),
  exportStatusHistoryAsCsv: () => leads.exportStatusHistoryAsCsv(tenant),
  exportMessages: () => leads.exportMessages(tenant),
  live: () => leads.live(),
  ready: () => leads.ready(),
  metrics: () => leads.metrics(),
  openapi: () => leads.openapi(),
};

async function main(): Promise<void> {
  const statuses: Record<string, number> = {};
  for (const [name, call] of Object.entries(calls)) {
    statuses[name] = (await call()).status;
  }
  const lead = await leads.getLead(tenant, phone);
  process.stdout.write(
    JSON.stringify({ statuses, phone: lead.status === 200 ? lead.data.data.customer_phone : undefined }),
  );
}

void main();
