create table event_streams (
    id uuid primary key default gen_random_uuid(),
    tenant_id int not null references accounts on delete cascade,
    name text not null,
    delivery text not null check (delivery in ('poll', 'push', 'webhook')),
    url text not null default '',
    audience text not null,
    created_at timestamptz not null default now(),
    delivered bigint not null default 0,
    lost bigint not null default 0,             -- discarded because they were too old
    failures int not null default 0,            -- in a row
    next_try_at timestamptz not null default '-infinity',
    last_error text not null default '',
    last_delivered_at timestamptz
);
create index event_streams_tenant on event_streams (tenant_id);

create trigger event_streams_changed after insert or delete on event_streams for each row execute function tell_of_change();

-- Events that were not delivered yet, in order for each resource. Written in the transaction of the change.
create table stream_events (
    stream_id uuid not null references event_streams on delete cascade,
    seq bigint generated always as identity,
    jti uuid not null default gen_random_uuid(),
    at timestamptz not null default clock_timestamp(),
    txn text not null default pg_current_xact_id()::text,
    kind text not null,
    resource_id uuid not null,
    external_id text,
    version bigint not null,
    events jsonb not null,
    refusals int not null default 0,
    primary key (stream_id, seq)
);
create unique index stream_events_jti on stream_events (stream_id, jti);

create function tell_of_events() returns trigger language plpgsql as $$
begin
    perform pg_notify('documo_events', '');
    return null;
end
$$;
create trigger stream_events_written after insert on stream_events for each statement execute function tell_of_events();

-- RFC 9967: provisioning notices. They contain the names of the changed attributes, but no values.
create function note_created_resources() returns trigger language plpgsql as $$
begin
    if exists (select from event_streams join added using (tenant_id)) then
        insert into stream_events (stream_id, kind, resource_id, external_id, version, events)
        select stream.id, added.kind, added.id, added.external_id, added.version, jsonb_build_object(
            'urn:ietf:params:scim:event:feed:add', '{}'::jsonb,
            'urn:ietf:params:scim:event:prov:create:notice', jsonb_build_object(
                'attributes', (select coalesce(jsonb_agg(key order by key), '[]') from jsonb_object_keys(added.document) as key)))
        from added join event_streams stream using (tenant_id);
    end if;
    return null;
end
$$;
create trigger resources_created after insert on resources
    referencing new table as added for each statement execute function note_created_resources();

create function note_changed_resources() returns trigger language plpgsql as $$
begin
    if exists (select from event_streams join after using (tenant_id)) then
        insert into stream_events (stream_id, kind, resource_id, external_id, version, events)
        select stream.id, after.kind, after.id, after.external_id, after.version, told.events
        from after
        join before on before.tenant_id = after.tenant_id and before.id = after.id
        join event_streams stream on stream.tenant_id = after.tenant_id
        cross join lateral (
            select coalesce(jsonb_agg(key order by key), '[]') as attributes
            from jsonb_each(before.document) as was (key, value) full join jsonb_each(after.document) as is_now (key, value) using (key)
            where was.value is distinct from is_now.value
        ) as changed
        cross join lateral (
            select case
                when before.deleted_at is null and after.deleted_at is not null then
                    '{"urn:ietf:params:scim:event:prov:delete": {}, "urn:ietf:params:scim:event:feed:remove": {}}'::jsonb
                when before.deleted_at is not null and after.deleted_at is null then jsonb_build_object(
                    'urn:ietf:params:scim:event:feed:add', '{}'::jsonb,
                    'urn:ietf:params:scim:event:prov:create:notice', jsonb_build_object(
                        'attributes', (select coalesce(jsonb_agg(key order by key), '[]') from jsonb_object_keys(after.document) as key)))
                when after.deleted_at is null and (changed.attributes <> '[]' or before.active <> after.active) then
                    jsonb_build_object('urn:ietf:params:scim:event:prov:patch:notice', jsonb_build_object('attributes',
                        changed.attributes || case when before.active <> after.active and not changed.attributes ? 'active'
                            then '["active"]'::jsonb else '[]' end))
                    || case
                        when before.active and not after.active then '{"urn:ietf:params:scim:event:prov:deactivate": {}}'::jsonb
                        when after.active and not before.active then '{"urn:ietf:params:scim:event:prov:activate": {}}'::jsonb
                        else '{}' end
            end as events
        ) as told
        where told.events is not null
        order by after.id;
    end if;
    return null;
end
$$;
create trigger resources_changed after update on resources
    referencing old table as before new table as after for each statement execute function note_changed_resources();

create function note_changed_members() returns trigger language plpgsql as $$
begin
    if exists (select from event_streams join changed using (tenant_id)) then
        insert into stream_events (stream_id, kind, resource_id, external_id, version, events)
        select stream.id, resources.kind, resources.id, resources.external_id, resources.version,
            '{"urn:ietf:params:scim:event:prov:patch:notice": {"attributes": ["members"]}}'::jsonb
        from (select distinct tenant_id, group_id from changed) as one
        join resources on resources.tenant_id = one.tenant_id and resources.id = one.group_id and resources.deleted_at is null
        join event_streams stream on stream.tenant_id = one.tenant_id
        order by resources.id;
    end if;
    return null;
end
$$;
create trigger group_members_added after insert on group_members
    referencing new table as changed for each statement execute function note_changed_members();
create trigger group_members_removed after delete on group_members
    referencing old table as changed for each statement execute function note_changed_members();
