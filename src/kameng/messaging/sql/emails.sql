-- Queue a batch of e-mails in one insert; one whose key is there already is left alone. Rows of equal
-- keys are taken in the order of the unique index, so that two senders cannot wait in a circle.
create or replace function messaging_queue_emails(
    p_site bigint[], p_to bytea[], p_subject text[], p_body bytea[], p_key text[],
    p_audience smallint[], p_language text[])
returns void language sql as $$
    insert into messaging_email
        (site_id, to_cipher, subject, body_cipher, dedupe_key, audience, language,
         state, attempts, last_error)
    select site_id, to_cipher, subject, body_cipher, dedupe_key, audience, language, 1, 0, ''
      from unnest(p_site, p_to, p_subject, p_body, p_key, p_audience, p_language)
           as t(site_id, to_cipher, subject, body_cipher, dedupe_key, audience, language)
     order by site_id, dedupe_key
    on conflict (site_id, dedupe_key) do nothing;
$$;

-- Take due e-mails for this worker: each is out of sight of others for the lease, so a worker that dies
-- gives its e-mails back by itself. Index messaging_email_waiting; other workers' rows are skipped.
create or replace function messaging_claim_emails(p_limit int, p_lease_seconds int)
returns table (id bigint, site_id bigint, to_cipher bytea, subject text, body_cipher bytea,
               dedupe_key text, attempts smallint, audience smallint, language text)
language sql as $$
    with due as (
        select e.id from messaging_email e
         where e.state = 1 and e.next_attempt_at <= now()
         order by e.next_attempt_at limit p_limit for update skip locked)
    update messaging_email m
       set attempts = m.attempts + 1, next_attempt_at = now() + make_interval(secs => p_lease_seconds)
      from due where m.id = due.id
    returning m.id, m.site_id, m.to_cipher, m.subject, m.body_cipher, m.dedupe_key, m.attempts,
              m.audience, m.language;
$$;

-- Write what became of claimed e-mails. The text of one that was sent is not kept.
create or replace function messaging_finish_emails(
    p_id bigint[], p_state smallint[], p_wait_seconds int[], p_error text[])
returns void language sql as $$
    update messaging_email m
       set state = t.state,
           next_attempt_at = now() + make_interval(secs => t.wait_seconds),
           last_error = t.error,
           body_cipher = case when t.state = 2 then ''::bytea else m.body_cipher end
      from unnest(p_id, p_state, p_wait_seconds, p_error) as t(id, state, wait_seconds, error)
     where m.id = t.id and m.state = 1;
$$;
