-- The members who may sign in with a user name. There is no row-level policy, because this table says which tenant a person belongs to.
-- It contains only members with a password, so provisioned members without one need no row.
create table sign_in_names (
    name text collate "C" not null,
    tenant_id int not null references accounts,
    member_id uuid not null,
    primary key (name, tenant_id, member_id)
);
create index sign_in_names_of on sign_in_names (tenant_id, member_id);

create table member_sessions (
    id uuid primary key default gen_random_uuid(),
    tenant_id int not null references accounts,
    member_id uuid not null,
    secret_hash bytea not null unique,
    device text not null default '',           -- the browser's own description
    signed_in_at timestamptz not null,
    seen_at timestamptz not null,              -- exact to a minute
    expires_at timestamptz not null
);
create index member_sessions_of on member_sessions (tenant_id, member_id);

-- Links that work once, to set a password. A member has at most one.
create table member_links (
    secret_hash bytea primary key,
    tenant_id int not null references accounts,
    member_id uuid not null,
    created_by text not null,
    expires_at timestamptz not null,
    unique (tenant_id, member_id)
);

-- Failed sign-ins by the hash of the entered name: people sometimes type passwords into the wrong field.
create table sign_in_attempt (
    subject_hash bytea primary key,
    failures integer not null,
    last_at timestamptz not null,
    locked_until timestamptz
);
create index sign_in_attempt_last on sign_in_attempt (last_at);

do $$
declare
    name text;
    tenant constant text := '(select nullif(current_setting(''documo.tenant'', true), '''')::int)';
begin
    foreach name in array array['member_sessions', 'member_links'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant_wall on %I using (%s is null or tenant_id = %s)', name, tenant, tenant);
    end loop;
end
$$;

-- One rule for every way in which a member changes (SCIM, pages, command line): the name for signing in is updated with the member. A member
-- who is disabled, deleted, or given another role or password is signed out everywhere, in the same transaction.
create function sign_in_name_follows() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        delete from sign_in_names where tenant_id = old.tenant_id and member_id = old.id;
    end if;
    if tg_op <> 'DELETE' and new.password_hash is not null and new.deleted_at is null and new.unique_name is not null then
        insert into sign_in_names values (new.unique_name, new.tenant_id, new.id);
    end if;
    return null;
end
$$;
create trigger sign_in_name_added after insert on resources
    for each row when (new.password_hash is not null) execute function sign_in_name_follows();
create trigger sign_in_name_changed after update of unique_name, password_hash, deleted_at on resources
    for each row when (
        (old.password_hash is not null or new.password_hash is not null)
        and (old.unique_name, old.password_hash, old.deleted_at) is distinct from (new.unique_name, new.password_hash, new.deleted_at)
    ) execute function sign_in_name_follows();
create trigger sign_in_name_removed after delete on resources
    for each row when (old.password_hash is not null) execute function sign_in_name_follows();

create function sign_out_everywhere() returns trigger language plpgsql as $$
begin
    delete from member_sessions where tenant_id = old.tenant_id and member_id = old.id;
    delete from member_links where tenant_id = old.tenant_id and member_id = old.id;
    return null;
end
$$;
create trigger member_signed_out after update of active, deleted_at, role, password_hash on resources
    for each row when (
        old.kind in ('User', 'Operator') and (
            (old.active and not new.active) or (old.deleted_at is null and new.deleted_at is not null)
            or old.role is distinct from new.role or old.password_hash is distinct from new.password_hash
        )
    ) execute function sign_out_everywhere();
create trigger member_removed after delete on resources
    for each row when (old.kind in ('User', 'Operator')) execute function sign_out_everywhere();

do $$
declare
    account int;
begin
    for account in select id from accounts loop
        perform set_config('documo.tenant', account::text, true);
        insert into sign_in_names
            select unique_name, tenant_id, id from resources
            where tenant_id = account and kind in ('User', 'Operator') and password_hash is not null and deleted_at is null
                and unique_name is not null;
    end loop;
    perform set_config('documo.tenant', '', true);
end
$$;
