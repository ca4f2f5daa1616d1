-- New credentials make the probe due, which can end a quarantine, and the failed objects. Held objects stay held.
create or replace function retry_with_new_credentials() returns trigger language plpgsql as $$
begin
    update job set last_probe_at = null, quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now()))
    where app = new.app;
    delete from target_state using job where job.app = new.app and target_state.job = job.id;
    with failed as (
        select dirty.job, kind, source_id from dirty join job on job.id = dirty.job
        where job.app = new.app and failures > 0 and not_before > now() and lease_until is null
        order by kind, source_id
        for update of dirty
    )
    update dirty set not_before = '-infinity' from failed
    where dirty.job = failed.job and dirty.kind = failed.kind and dirty.source_id = failed.source_id;
    return new;
end
$$;
