-- Leads by the thousand, made by the server itself: staged.make() stages them, each with a conversation of ten messages
-- and most with an extraction or a contact, over a year. staged.import() writes them to the platform's tables.

CREATE SCHEMA staged;

CREATE TABLE staged.leads (
    tenant text, number integer, conversation_id text, phone text, name text, company text,
    began timestamp, pause interval, scores integer[]
);
CREATE TABLE staged.contacts (LIKE public.contacts);
CREATE TABLE staged.conversations (LIKE public.conversations);
CREATE TABLE staged.messages (LIKE public.messages);
CREATE TABLE staged.extractions (LIKE public.extractions);

-- Two tenants with three agents, each of a channel of its own.
INSERT INTO public.users (user_id) VALUES ('mass'), ('other');
INSERT INTO public.phone_numbers (id, user_id, platform, display_name)
SELECT user_id || '-p' || n, user_id, (ARRAY['whatsapp', 'whatsapp', 'webchat'])[n + 1], 'Channel ' || n
FROM public.users CROSS JOIN generate_series(0, 2) AS n;
INSERT INTO public.agents (agent_id, user_id, phone_number_id, name)
SELECT user_id || '-a' || n, user_id, user_id || '-p' || n, 'Assistant ' || n
FROM public.users CROSS JOIN generate_series(0, 2) AS n;

-- Stage the leads of these numbers, all with one agent, instead of what was staged before.
CREATE FUNCTION staged.make(tenant text, agent integer, first_lead integer, last_lead integer)
RETURNS void LANGUAGE sql AS $$
TRUNCATE staged.leads, staged.contacts, staged.conversations, staged.messages, staged.extractions;
INSERT INTO staged.leads
SELECT
    tenant,
    number,
    tenant || '-c' || number,
    -- No two are the same: the factor and the modulus have no divisor in common.
    CASE WHEN number % 3 = 0 THEN '+44 7' ELSE '447' END
    || lpad((number::bigint * 618033989 % 1000000000)::text, 9, '0'),
    (ARRAY['Asha', 'Ben', 'Chloé', 'Diego', 'Eva', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Kavya', 'Liam', 'Mei'])
    [1 + number % 13]
    || ' '
    || (ARRAY['Almeida', 'Brown', 'Chen', 'Dubois', 'Evans', 'Fischer', 'Gupta', 'Haddad', 'Ivanova', 'Jensen', 'Khan'])
    [1 + number / 13 % 11],
    (ARRAY['Northwind', 'Acme', 'Globex', 'Initech', 'Umbrella'])[1 + number % 5] || ' ' || number % 400,
    date_trunc('milliseconds', now() AT TIME ZONE 'UTC' - interval '10 days' - random() * interval '355 days'),
    date_trunc('milliseconds', random() ^ 3 * interval '1 day'),
    ARRAY[1 + random() * 2, 1 + random() * 2, 1 + random() * 2, 1 + random() * 2, 1 + random() * 2]::integer[]
FROM generate_series(first_lead, last_lead) AS number;
INSERT INTO staged.contacts
SELECT tenant || '-k' || number, tenant, phone, name, 'lead' || number || '@example.com', company, began
FROM staged.leads WHERE number % 2 = 0;
INSERT INTO staged.conversations
SELECT conversation_id, tenant || '-a' || agent, phone, began, began + 9 * pause, number % 4 > 0
FROM staged.leads;
INSERT INTO staged.messages
SELECT
    tenant || '-m' || number || '-' || n,
    conversation_id,
    CASE n % 2 WHEN 1 THEN 'user' ELSE 'agent' END,
    left(
        'Hello, this is ' || name || ' of ' || company || '. Is it still to be had, when could it be sent, and what'
        || ' would it cost for ' || number % 90 || ' of them, with the transport and a year of service?',
        20 + (number * 7 + n * 31) % 180
    ),
    began + (n - 1) * pause,
    CASE number % 9 WHEN 0 THEN 'delivered' ELSE 'read' END,
    n
FROM staged.leads CROSS JOIN generate_series(1, 10) AS n;
INSERT INTO staged.extractions
SELECT
    md5(conversation_id)::uuid, conversation_id, tenant, phone, began + 9 * pause, true, name,
    CASE WHEN number % 3 > 0 THEN 'lead' || number || '@example.com' END, company,
    scores[1], scores[2], scores[3], scores[4], scores[5],
    (SELECT sum(score) FROM unnest(scores) AS score),
    (ARRAY['Cold', 'Warm', 'Hot'])[scores[1]]
FROM staged.leads WHERE number % 5 > 0;
$$;

-- Write what is staged, with so many pages of rows in a statement: a page has some fifty messages.
CREATE FUNCTION staged.import(pages integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
    page integer;
BEGIN
    FOREACH name IN ARRAY ARRAY['contacts', 'conversations', 'messages', 'extractions'] LOOP
        FOR page IN 0..pg_relation_size('staged.' || name) / 8192 BY pages LOOP
            EXECUTE format(
                'INSERT INTO public.%1$I SELECT * FROM staged.%1$I WHERE ctid >= %2$L AND ctid < %3$L',
                name, format('(%s,0)', page), format('(%s,0)', page + pages)
            );
        END LOOP;
    END LOOP;
END
$$;
