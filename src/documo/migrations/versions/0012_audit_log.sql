alter table accounts add column audit_days int not null default 400 check (audit_days >= 30);
alter table accounts add column scim_enabled boolean not null default true;

-- *actor_id* is a member or an API key, depending on *actor_kind*. *before* and *after* contain the attributes that differ.
create table audit_log (
    tenant_id int not null references accounts,
    seq bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    actor_kind text not null check (actor_kind in ('member', 'command', 'key', 'system')),
    actor_id uuid,
    actor_name text not null,
    activity text not null,
    kind text not null,
    object_id text not null,
    object_name text not null,
    before jsonb,
    after jsonb,
    primary key (tenant_id, seq)
);
create index audit_log_at on audit_log using brin (at);

-- Also written by transactions without a tenant, which change keys, domains and accounts. Only the tenant itself can read its rows, and
-- nobody can change them: there is no policy for UPDATE.
alter table audit_log enable row level security;
alter table audit_log force row level security;
do $$
declare
    tenant constant text := '(select nullif(current_setting(''documo.tenant'', true), '''')::int)';
begin
    execute format('create policy tenant_reads on audit_log for select using (tenant_id = %s)', tenant);
    execute format('create policy tenant_adds on audit_log for insert with check (%s is null or tenant_id = %s)', tenant, tenant);
    execute format('create policy tenant_removes on audit_log for delete using (tenant_id = %s)', tenant);
end
$$;

-- Every change of these tables is logged in the same transaction, whichever way it is made. The setting documo.actor says who made it:
-- {"kind", "id", "name"}, or for a batch of SCIM requests with several keys {"kind": "key", "of": {resource: key}}.
create function audit_actor() returns jsonb language sql stable as $$
    select coalesce(nullif(current_setting('documo.actor', true), '')::jsonb, '{"kind": "system", "name": "Documo"}')
$$;

-- The attributes of *one* that differ in *other*.
create function differing(one jsonb, other jsonb) returns jsonb language sql immutable as $$
    select jsonb_object_agg(e.key, e.value) from jsonb_each(one) as e where other -> e.key is distinct from e.value
$$;

create function resource_name(kind text, document jsonb) returns text language sql immutable as $$
    select coalesce(document ->> 'userName', document ->> 'displayName', document ->> 'display', document ->> 'value', kind)
$$;

create function audit_new_resources() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
begin
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, after)
        select n.tenant_id, actor ->> 'kind', coalesce(actor -> 'of' ->> n.id::text, actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            'create', n.kind, n.id::text, resource_name(n.kind, n.document), n.document - 'schemas'
        from new_rows n;
    return null;
end
$$;

-- A new version without another change is not logged, such as that of a group whose member was deleted.
create function audit_changed_resources() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
begin
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, before, after)
        select n.tenant_id, actor ->> 'kind', coalesce(actor -> 'of' ->> n.id::text, actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            case
                when o.deleted_at is null and n.deleted_at is not null then 'delete'
                when o.deleted_at is not null and n.deleted_at is null then 'restore'
                when o.active and not n.active then 'deactivate'
                when n.active and not o.active then 'activate'
                when o.document = n.document and o.role is not distinct from n.role then 'set password'
                else 'change'
            end,
            n.kind, n.id::text, resource_name(n.kind, n.document),
            coalesce(differing(o.document, n.document), '{}'::jsonb) || changed.password,
            coalesce(differing(n.document, o.document), '{}'::jsonb) || changed.password
        from new_rows n join old_rows o on o.tenant_id = n.tenant_id and o.id = n.id
        cross join lateral (
            select case when o.password_hash is distinct from n.password_hash then '{"password": "***"}'::jsonb else '{}' end as password
        ) as changed
        where o.document <> n.document or o.active <> n.active or o.deleted_at is distinct from n.deleted_at
            or o.role is distinct from n.role or o.password_hash is distinct from n.password_hash;
    return null;
end
$$;
create trigger resources_added_audit after insert on resources
    referencing new table as new_rows for each statement execute function audit_new_resources();
create trigger resources_changed_audit after update on resources
    referencing old table as old_rows new table as new_rows for each statement execute function audit_changed_resources();

-- The members who joined or left a group: one entry for each group, with at most 20 names and the number of members.
create function audit_members() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
begin
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, before, after)
        select g.tenant_id, actor ->> 'kind', coalesce(actor -> 'of' ->> g.id::text, actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            'change', g.kind, g.id::text, resource_name(g.kind, g.document),
            case tg_op when 'DELETE' then told.of_members end, case tg_op when 'INSERT' then told.of_members end
        from (select tenant_id, group_id, count(*) as number, (array_agg(member_id))[1:20] as first from changed group by 1, 2) c
        join resources g on g.tenant_id = c.tenant_id and g.id = c.group_id and g.deleted_at is null
        cross join lateral (
            select jsonb_build_object('members', coalesce(jsonb_agg(resource_name(m.kind, m.document)), '[]'), 'number of members', c.number)
                as of_members
            from resources m where m.tenant_id = c.tenant_id and m.id = any(c.first)
        ) as told;
    return null;
end
$$;
create trigger group_members_added_audit after insert on group_members
    referencing new table as changed for each statement execute function audit_members();
create trigger group_members_removed_audit after delete on group_members
    referencing old table as changed for each statement execute function audit_members();

-- For rows that people change one at a time. Arguments: the kind, the columns of id and name, then the columns whose values are shown. A
-- column with a secret must not be among them. A row that belongs to a member has the member's name.
create function audit_row() returns trigger language plpgsql as $$
declare
    actor constant jsonb := audit_actor();
    present constant jsonb := case tg_op when 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
    shown constant text[] := tg_argv[3:];
    account int := coalesce(present ->> 'tenant_id', present ->> 'id');
    name text := present ->> tg_argv[2];
    was jsonb;
    is_now jsonb;
begin
    if tg_op = 'DELETE' and not exists (select from accounts where id = account) then
        return null;  -- the account itself is being deleted
    end if;
    if present ? 'key_id' then
        select k.tenant_id, k.name into account, name from api_keys k where k.id = (present ->> 'key_id')::uuid;
    elsif tg_argv[2] = 'member_id' then
        select r.document ->> 'userName' into name from resources r where r.tenant_id = account and r.id = (present ->> 'member_id')::uuid;
    end if;
    if tg_op <> 'INSERT' then
        select jsonb_object_agg(e.key, e.value) into was from jsonb_each(to_jsonb(old)) as e where e.key = any(shown) and e.value <> 'null';
    end if;
    if tg_op <> 'DELETE' then
        select jsonb_object_agg(e.key, e.value) into is_now from jsonb_each(to_jsonb(new)) as e where e.key = any(shown) and e.value <> 'null';
    end if;
    if tg_op = 'UPDATE' then
        if was is not distinct from is_now then
            return null;
        end if;
        select differing(was, is_now), differing(is_now, was) into was, is_now;
    end if;
    insert into audit_log (tenant_id, actor_kind, actor_id, actor_name, activity, kind, object_id, object_name, before, after)
        values (account, actor ->> 'kind', (actor ->> 'id')::uuid, coalesce(actor ->> 'name', ''),
            case
                when tg_table_name = 'sso_attempts' then 'refuse'
                when tg_op = 'INSERT' then 'create'
                when tg_op = 'DELETE' then 'delete'
                when is_now ? 'revoked_at' then 'revoke'
                when is_now ? 'verified_at' then 'verify'
                when is_now ? 'confirmed_at' then 'create'
                else 'change'
            end,
            tg_argv[0], present ->> tg_argv[1], coalesce(name, ''), was, is_now);
    return null;
end
$$;
create trigger api_key_added_audit after insert on api_keys for each row when (new.kind <> 'token')
    execute function audit_row('API key', 'id', 'name', 'kind', 'prefix', 'scopes', 'expires_at', 'created_by');
create trigger api_key_changed_audit after update of name, scopes, expires_at, revoked_at on api_keys for each row when (new.kind <> 'token')
    execute function audit_row('API key', 'id', 'name', 'scopes', 'expires_at', 'revoked_at');
create trigger issuer_audit after update on trusted_issuers for each row
    execute function audit_row('API key', 'key_id', 'key_id', 'issuer', 'audience', 'jwks', 'subject');
create trigger domain_audit after insert or update or delete on domains for each row
    execute function audit_row('Domain', 'host', 'host', 'host', 'kind', 'verified_at');
create trigger branding_audit after insert or update on branding for each row
    execute function audit_row('Branding', 'tenant_id', 'name', 'name', 'accent', 'logo_version');
create trigger account_audit after insert or update on accounts for each row
    execute function audit_row('Account', 'id', 'name', 'name', 'plan', 'seats', 'default_role', 'profile', 'restore_policy', 'hold_names',
        'undelete_days', 'indirect_groups', 'patch_answer', 'rate_per_second', 'rate_burst', 'custom_schemas', 'custom_resource_types',
        'custom_extensions', 'audit_days', 'scim_enabled');
create trigger event_stream_audit after insert or delete on event_streams for each row
    execute function audit_row('Event stream', 'id', 'name', 'name', 'delivery', 'audience');
create trigger document_audit after insert or delete on documents for each row
    execute function audit_row('Document', 'id', 'name', 'name', 'size', 'owner_name');
create trigger link_audit after insert or update on member_links for each row
    execute function audit_row('Password link', 'member_id', 'member_id', 'created_by', 'expires_at');
create trigger factor_added_audit after update of confirmed_at on member_second_factors for each row when (old.confirmed_at is null)
    execute function audit_row('Second factor', 'member_id', 'member_id', 'confirmed_at');
create trigger factor_removed_audit after delete on member_second_factors for each row when (old.confirmed_at is not null)
    execute function audit_row('Second factor', 'member_id', 'member_id', 'confirmed_at');
create trigger single_sign_on_audit after insert or update or delete on single_sign_on for each row
    execute function audit_row('Single sign-on', 'entity_id', 'entity_id', 'entity_id', 'sign_in_url', 'logout_url', 'email_domain',
        'identity_attribute', 'certificates', 'requests_signed', 'requests_by_post', 'metadata_url', 'is_enforced', 'break_glass',
        'allows_unsolicited', 'allows_sha1', 'allows_rsa15', 'creates_members', 'default_role');
create trigger sso_key_audit after insert or update or delete on sso_keys for each row
    execute function audit_row('Signing key', 'tenant_id', 'none', 'certificate');
create trigger sso_refusal_audit after insert on sso_attempts for each row when (new.result <> '' and not new.is_test)
    execute function audit_row('Sign-in', 'number', 'person', 'number', 'result', 'detail', 'expected', 'received', 'address');
