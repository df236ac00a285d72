// What a caller may get wrong: the compiler has to find a mistake in each line below such a comment, and says so where
// it finds none.
import createClient from "openapi-fetch";
import type { Lead, LeadFacets, Message, paths, Statistics } from "./leads-api";

declare const lead: Lead;
declare const message: Message;
declare const statistics: Statistics;
declare const facets: LeadFacets["data"];
const api = createClient<paths>({ baseUrl: "" });
const path = { user_id: "u" };

// Statuses and senders that do not exist.
// @ts-expect-error
await api.GET("/users/{user_id}/leads", { params: { path, query: { lead_status: ["hot"] } } });
// @ts-expect-error
await api.GET("/users/{user_id}/leads", { params: { path, query: { sort_by: "created" } } });
// @ts-expect-error
export const isSystem = message.sender === "system";
// @ts-expect-error
export const isRead = message.status === "read";
// @ts-expect-error
export const isHot = lead.lead_status === "hot";

// Attributes: there are none without include, and a facet of them has its values in a key.
// @ts-expect-error
export const city = lead.attributes.city;
// @ts-expect-error
await api.GET("/users/{user_id}/leads", { params: { path, query: { attributes: "city" } } });
// @ts-expect-error
await api.GET("/users/{user_id}/leads", { params: { path, query: { include: ["everything"] } } });
// @ts-expect-error
export const mumbai = facets["attributes.city"].Mumbai;

// Parameters and addresses that do not exist, and ids that are missing.
// @ts-expect-error
await api.GET("/users/{user_id}/leads", { params: { path, query: { lead_stauts: ["Hot"] } } });
// @ts-expect-error
await api.GET("/users/{user_id}/lead", { params: { path } });
// @ts-expect-error
await api.GET("/users/{user_id}/leads/{customer_phone}", { params: { path } });
// @ts-expect-error
await api.POST("/users/{user_id}/leads", { params: { path } });

// What may be null, and keys that do not exist.
// @ts-expect-error
export const letters = lead.name.length;
// @ts-expect-error
export const day = lead.last_message_at.slice(0, 10);
// @ts-expect-error
export const score = lead.total_score + 1;
// @ts-expect-error
export const phone = lead.phone;
// @ts-expect-error
export const onSms = statistics.by_platform.sms;
