-- Put a batch of messages into inboxes in one insert; one whose key is there already is left alone. In
-- the order of the unique index, so that two senders cannot wait in a circle.
create or replace function messaging_put_inbox(
    p_site bigint[], p_customer bigint[], p_title text[], p_body text[], p_link text[], p_key text[])
returns void language sql as $$
    insert into messaging_inboxmessage (site_id, customer_id, title, body, link, dedupe_key)
    select site_id, customer_id, title, body, link, dedupe_key
      from unnest(p_site, p_customer, p_title, p_body, p_link, p_key)
           as t(site_id, customer_id, title, body, link, dedupe_key)
     order by site_id, customer_id, dedupe_key
    on conflict (site_id, customer_id, dedupe_key) do nothing;
$$;
