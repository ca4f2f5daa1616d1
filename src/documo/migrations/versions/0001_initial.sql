-- Documo's tables. tenant_id is the first column in the key of every table with a tenant's data. Row-level security is a second protection:
-- a transaction sees only the rows of the tenant in the setting documo.tenant, whatever its WHERE says.
-- Accounts, keys and domains have no row-level policy, because they decide which tenant a request belongs to.

create table accounts (
    id int generated always as identity primary key,
    name text not null,
    plan text not null default 'standard',
    seats int check (seats >= 1),
    default_role text not null default 'Member',
    profile text not null default 'lenient',
    restore_policy text not null default 'restore' check (restore_policy in ('restore', 'conflict', 'new')),
    hold_names boolean not null default false,
    undelete_days int not null default 30 check (undelete_days >= 0),
    indirect_groups boolean not null default false,
    patch_answer text not null default 'resource' check (patch_answer in ('resource', 'nothing')),
    rate_per_second int not null default 100 check (rate_per_second >= 0),
    rate_burst int not null default 200 check (rate_burst >= 1),
    custom_schemas jsonb not null default '[]',
    custom_resource_types jsonb not null default '[]',
    custom_extensions jsonb not null default '[]',
    created_at timestamptz not null default now()
);
create unique index accounts_name on accounts (lower(name));

create table api_keys (
    id uuid primary key,
    tenant_id int not null references accounts,
    member_id uuid not null,
    name text not null,
    hash bytea not null unique,
    prefix text not null,
    last_four text not null,
    scopes text[] not null,
    kind text not null default 'key' check (kind in ('key', 'client', 'token')),
    client_id uuid references api_keys on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    last_used_address text,
    last_used_agent text
);
create index api_keys_tenant on api_keys (tenant_id, created_at);
create index api_keys_member on api_keys (tenant_id, member_id) where revoked_at is null;
create index api_keys_expiry on api_keys (expires_at) where kind = 'token';

create table domains (
    host text primary key,
    tenant_id int not null references accounts,
    proof text not null,
    verified_at timestamptz,
    created_at timestamptz not null default now()
);

create table service_secrets (
    name text primary key,
    value bytea not null
);

create table resources (
    tenant_id int not null references accounts,
    id uuid not null,
    kind text not null,
    unique_name text collate "C",
    external_id text collate "C",
    display_name text collate "C",
    active boolean not null default true,
    role text,
    source text not null default 'scim' check (source in ('scim', 'local')),
    version bigint not null default 1,
    document jsonb not null,
    password_hash text,
    created_at timestamptz not null default statement_timestamp(),
    last_modified timestamptz not null default statement_timestamp(),
    deleted_at timestamptz,
    primary key (tenant_id, id)
);
-- unique_name (userName of a person, value of a role) and display_name are case-folded; external_id is exact.
create unique index resources_unique_name on resources (tenant_id, kind, unique_name) where deleted_at is null and unique_name is not null;
create index resources_deleted on resources (tenant_id, kind, unique_name) where deleted_at is not null;
create index resources_external_id on resources (tenant_id, kind, external_id) where deleted_at is null;
create index resources_display_name on resources (tenant_id, kind, display_name, id) where deleted_at is null;
create index resources_last_modified on resources (tenant_id, kind, last_modified, id) where deleted_at is null;
create index resources_order on resources (tenant_id, kind, id) where deleted_at is null;

-- The case-folded values of a resource, for containment. There is no row-level policy: containment is not leakproof, so PostgreSQL would not
-- use the index. Only ids are read from this table; the rows are then looked up in resources, where the policy applies.
create table resource_search (
    tenant_id int not null,
    id uuid not null,
    kind text not null,
    document jsonb not null,
    primary key (tenant_id, id)
);
create index resource_search_values on resource_search using gin (document jsonb_path_ops);

create table group_members (
    tenant_id int not null,
    group_id uuid not null,
    member_id uuid not null,
    member_kind text not null,
    primary key (tenant_id, group_id, member_id)
);
create index group_members_member on group_members (tenant_id, member_id, group_id);

create table resource_counts (
    tenant_id int not null,
    kind text not null,
    total bigint not null,
    primary key (tenant_id, kind)
);

create table request_log (
    tenant_id int not null,
    id text not null,
    at timestamptz not null,
    method text not null,
    path text not null,
    status int not null,
    milliseconds real not null,
    key_id uuid,
    client text not null,
    tolerances text[] not null,
    address text not null,
    user_agent text not null,
    request_type text not null,
    request_body text,
    response_body text,
    primary key (tenant_id, id)
);
create index request_log_at on request_log (at);

do $$
declare
    name text;
begin
    foreach name in array array['resources', 'group_members', 'resource_counts', 'request_log'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy tenant_wall on %I using (tenant_id = (select nullif(current_setting(''documo.tenant'', true), '''')::int))',
            name
        );
    end loop;
end
$$;

-- A change of a key or an account notifies every process, which then drops its cached copies.
create function tell_of_change() returns trigger language plpgsql as $$
begin
    perform pg_notify('documo_changed', coalesce(new.tenant_id, old.tenant_id)::text);
    return null;
end
$$;
create function tell_of_account() returns trigger language plpgsql as $$
begin
    perform pg_notify('documo_changed', new.id::text);
    return null;
end
$$;
create trigger api_keys_changed after insert or delete or update of scopes, revoked_at, expires_at on api_keys
    for each row execute function tell_of_change();
create trigger domains_changed after insert or update or delete on domains for each row execute function tell_of_change();
create trigger accounts_changed after update on accounts for each row execute function tell_of_account();
