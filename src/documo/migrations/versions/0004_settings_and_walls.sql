-- Existing accounts keep the answer that their clients expect; for new accounts it depends on the profile.
alter table accounts drop constraint accounts_patch_answer_check;
alter table accounts add constraint accounts_patch_answer_check check (patch_answer in ('profile', 'resource', 'nothing'));
alter table accounts alter column patch_answer set default 'profile';

create index resources_admins on resources (tenant_id, role) where role = 'Admin' and active and deleted_at is null;

-- The client whose tokens are trusted: the value of sub, appid or azp. Null, in older rows, means any client.
alter table trusted_issuers add column subject text;

-- Keys, streams and their events are read before the tenant is known, and for all tenants at once when events are delivered. A transaction
-- that has a tenant sees only the rows of that tenant.
do $$
declare
    name text;
    tenant constant text := '(select nullif(current_setting(''documo.tenant'', true), '''')::int)';
begin
    foreach name in array array['api_keys', 'event_streams'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant_wall on %I using (%s is null or tenant_id = %s)', name, tenant, tenant);
    end loop;
    alter table stream_events enable row level security;
    alter table stream_events force row level security;
    execute format(
        'create policy tenant_wall on stream_events using (%s is null or exists'
        ' (select from event_streams stream where stream.id = stream_id and stream.tenant_id = %s))', tenant, tenant
    );
    -- Only the tenant itself may write. Reading has no policy: containment is not leakproof, so PostgreSQL would not use the index. Only ids
    -- are read; the rows are then looked up in resources, where the policy applies.
    alter table resource_search enable row level security;
    alter table resource_search force row level security;
    create policy tenant_reads on resource_search for select using (true);
    execute format('create policy tenant_adds on resource_search for insert with check (tenant_id = %s)', tenant);
    execute format('create policy tenant_changes on resource_search for update using (tenant_id = %s)', tenant);
    execute format('create policy tenant_removes on resource_search for delete using (tenant_id = %s)', tenant);
end
$$;
