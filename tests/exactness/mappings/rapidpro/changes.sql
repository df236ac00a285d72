SELECT o.id AS "orgs_org.id", o.id AS tenants FROM orgs_org AS o;
SELECT c.id AS "contacts_contact.id", c.id AS contacts FROM contacts_contact AS c;
-- A conversation is always read with its extractions.
SELECT c.id AS "contacts_contact.id", c.id AS extractions FROM contacts_contact AS c;
SELECT n.contact_id AS "contacts_contacturn.contact_id", n.contact_id AS contacts FROM contacts_contacturn AS n;
SELECT n.contact_id AS "contacts_contacturn.contact_id", n.contact_id AS conversations FROM contacts_contacturn AS n;
SELECT n.channel_id AS "channels_channel.id", n.contact_id AS conversations FROM contacts_contacturn AS n;
SELECT k.contact_id AS "tickets_ticket.contact_id", k.contact_id AS conversations FROM tickets_ticket AS k;
SELECT k.assignee_id AS "users_user.id", k.contact_id AS conversations FROM tickets_ticket AS k;
SELECT m.contact_id AS "msgs_msg.contact_id", m.contact_id AS messages, m.id AS message_id FROM msgs_msg AS m;
