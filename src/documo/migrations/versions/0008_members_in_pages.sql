-- The API key that created a member over SCIM or, for a member added by hand, was the first to change it. A token counts as its key.
alter table resources add column managed_by uuid;

alter table api_keys add column created_by text;  -- who created it; null for keys that are older than this column

alter table member_sessions add column address text not null default '';

-- Not in the member's row, because signing in does not change the SCIM resource.
create table member_last_sign_ins (
    tenant_id int not null references accounts,
    member_id uuid not null,
    at timestamptz not null,
    address text not null,
    primary key (tenant_id, member_id)
);

-- The second factor counts once it is confirmed. *last_step* is the newest time step whose code was used.
create table member_second_factors (
    tenant_id int not null references accounts,
    member_id uuid not null,
    seed text not null,
    confirmed_at timestamptz,
    last_step bigint not null default 0,
    primary key (tenant_id, member_id)
);
create table member_recovery_codes (
    tenant_id int not null,
    member_id uuid not null,
    code_hash bytea not null,
    primary key (tenant_id, member_id, code_hash),
    foreign key (tenant_id, member_id) references member_second_factors on delete cascade
);

do $$
declare
    name text;
    tenant constant text := '(select nullif(current_setting(''documo.tenant'', true), '''')::int)';
begin
    -- Read before the tenant is known: the account in which somebody signed in last is tried first.
    alter table member_last_sign_ins enable row level security;
    alter table member_last_sign_ins force row level security;
    execute format('create policy tenant_wall on member_last_sign_ins using (%s is null or tenant_id = %s)', tenant, tenant);
    foreach name in array array['member_second_factors', 'member_recovery_codes'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant_wall on %I using (tenant_id = %s)', name, tenant);
    end loop;
end
$$;

-- When a member's row is purged, everything that belongs to the member is deleted.
create or replace function sign_out_everywhere() returns trigger language plpgsql as $$
begin
    delete from member_sessions where tenant_id = old.tenant_id and member_id = old.id;
    delete from member_links where tenant_id = old.tenant_id and member_id = old.id;
    if tg_op = 'DELETE' then
        delete from member_last_sign_ins where tenant_id = old.tenant_id and member_id = old.id;
        delete from member_second_factors where tenant_id = old.tenant_id and member_id = old.id;
    end if;
    return null;
end
$$;
