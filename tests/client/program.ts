// A caller of the API that is written against the generated types: it prints what it has read as JSON.
import createClient from "openapi-fetch";
import type { Lead, Message, paths } from "./leads-api";

declare const process: { argv: string[]; stdout: { write(text: string): void } };

const PLATFORMS: Record<string, string> = {
  whatsapp: "WhatsApp",
  instagram: "Instagram",
  webchat: "Web chat",
};
const [, , baseUrl = "", user_id = ""] = process.argv;
const api = createClient<paths>({ baseUrl });

function nameOf(lead: Lead): string {
  return lead.name ?? lead.customer_phone;
}

function senderOf(message: Message): string {
  switch (message.sender) {
    case "user":
      return "customer";
    case "agent":
      return message.agent_name ?? message.agent_id;
    case null:
      return "unknown";
  }
}

async function messagesOf(lead: Lead): Promise<string[]> {
  const { data, error } = await api.GET("/users/{user_id}/leads/{customer_phone}/messages", {
    params: {
      path: { user_id, customer_phone: lead.customer_phone },
      query: { limit: 200, sender: "agent", from_date: "2000-01-01" },
    },
  });
  if (error) {
    throw new Error(error.message);
  }
  return data.data.messages.map((message) => `${senderOf(message)}: ${message.status}`);
}

const list = await api.GET("/users/{user_id}/leads", {
  params: {
    path: { user_id },
    query: { platform: ["whatsapp", "instagram"], lead_status: ["Hot", "Warm"], limit: 100, sort_by: "name" },
  },
});
if (list.error) {
  throw new Error(list.error.message);
}
const stats = await api.GET("/users/{user_id}/leads/stats", { params: { path: { user_id } } });
const unknown = await api.GET("/users/{user_id}/leads/{customer_phone}", {
  params: { path: { user_id, customer_phone: "no such lead" } },
});
const attributes = await api.GET("/users/{user_id}/leads/attributes", { params: { path: { user_id } } });
const facets = await api.GET("/users/{user_id}/leads/facets", {
  params: { path: { user_id }, query: { facets: ["has_email", "attributes.source"] } },
});
const fromNowhere = await api.GET("/users/{user_id}/leads", {
  params: { path: { user_id }, query: { attributes: { source: "nowhere" }, include: ["attributes"] } },
});
// Without `fields` each lead has all its keys.
const leads = list.data.data as Lead[];
const first = leads.find((lead) => lead.total_messages > 0 && !lead.customer_phone.includes("/"));

process.stdout.write(
  JSON.stringify({
    total: list.data.pagination.total,
    names: leads.map(nameOf),
    platforms: leads.map((lead) => lead.platforms.map((platform) => PLATFORMS[platform])),
    on_instagram: stats.data?.data.by_platform.instagram,
    unknown: unknown.error?.message,
    attributes: attributes.data?.data.filter((made) => made.of === "lead").map((made) => made.name),
    sources: facets.data?.data["attributes.source"]?.distinct,
    with_email: facets.data?.data.has_email?.true,
    from_nowhere: fromNowhere.data?.data.map((lead) => lead.attributes?.source),
    phone: first?.customer_phone,
    messages: first && (await messagesOf(first)),
  }),
);
