-- Lockstep's tables. One installation serves one organisation, so there is no tenant column.
-- Times are timestamptz. Ids of directory objects are GUIDs; ids of accounts are texts in the application's own form.

create table instance (
    only_one boolean primary key default true check (only_one),
    tenant_id uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now()
);
insert into instance default values;

-- ------------------------------------------------------------------------------------------------ the directory

create sequence object_version;

create table source (
    name text primary key,
    kind text not null,
    display_name text not null,
    config jsonb not null default '{}',
    generation bigint not null default 0,      -- number of the last full pass that began
    completed_generation bigint not null default 0, -- number of the last full pass that was proved complete
    watermark jsonb,
    created_at timestamptz not null default now()
);

-- A full pass that would make too many people leavers: no one leaves until an administrator decides ("source shrank").
create table source_hold (
    id uuid primary key default gen_random_uuid(),
    source text not null references source on delete cascade,
    kind text not null,
    generation bigint not null,
    missing bigint not null,
    present bigint not null,
    reason text not null,
    created_at timestamptz not null default now(),
    decided_at timestamptz,
    decision text check (decision in ('confirmed', 'rejected')),
    decided_by text
);
create unique index source_hold_open on source_hold (source, kind) where decided_at is null;
-- The objects that would leave if the hold is confirmed; for a membership, with its member.
create table source_hold_object (
    hold uuid not null references source_hold on delete cascade,
    object_id uuid not null,
    member_id uuid
);
create index source_hold_object_hold on source_hold_object (hold);

create table person (
    id uuid primary key,
    source text not null references source,
    anchor text not null,                      -- the source's own immutable key
    user_principal_name text not null,
    account_enabled boolean not null default true,
    attributes jsonb not null,                 -- all attributes under Entra's names, including the two above; absent means null
    manager_id uuid,
    manager_anchor text,                       -- as given by the source, as long as no person has it as key
    row_hash bytea,                            -- hash of the source's row, to skip unchanged rows
    generation bigint not null default 0,
    version bigint not null default nextval('object_version'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    unique (source, anchor)
);
create unique index person_upn on person (lower(user_principal_name)) where deleted_at is null;
create index person_manager on person (manager_id) where manager_id is not null;
create index person_manager_anchor on person (source, manager_anchor) where manager_anchor is not null;
create index person_deleted on person (deleted_at) where deleted_at is not null;

create table grp (
    id uuid primary key,
    source text not null references source,
    anchor text not null,
    display_name text not null,
    attributes jsonb not null,
    row_hash bytea,
    generation bigint not null default 0,
    version bigint not null default nextval('object_version'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    unique (source, anchor)
);
create index grp_display_name on grp (lower(display_name)) where deleted_at is null;
create index grp_deleted on grp (deleted_at) where deleted_at is not null;

-- Direct members; nested groups are stored as they are.
create table member (
    group_id uuid not null references grp on delete cascade,
    member_id uuid not null,
    member_kind text not null check (member_kind in ('User', 'Group')),
    generation bigint not null default 0,
    primary key (group_id, member_id)
);
create index member_of on member (member_id);

-- Members that a source named before the object itself arrived.
create table awaited_member (
    group_id uuid not null references grp on delete cascade,
    member_anchor text not null,
    source text not null,
    generation bigint not null default 0,
    primary key (group_id, member_anchor)
);
create index awaited_member_anchor on awaited_member (source, member_anchor);

-- The change feed, for history and for readers of deltas. Read only below pg_snapshot_xmin(pg_current_snapshot()):
-- then no change that commits late is skipped. Numbers may have gaps.
create table change (
    seq bigserial primary key,
    xid xid8 not null default pg_current_xact_id(),
    at timestamptz not null default clock_timestamp(),
    kind text not null,                        -- User, Group, Assignment, AppRole, ...
    object_id uuid not null,
    what text not null,                        -- created, updated, deleted, restored, purged, memberAdded, ...
    changed text[] not null default '{}',      -- attribute names
    before jsonb,
    after jsonb,
    actor text not null default 'system'
);
create index change_object on change (object_id, seq);
create index change_xid on change (xid, seq);

-- ------------------------------------------------------------------------------------------------ applications

create table application (
    id uuid primary key default gen_random_uuid(),   -- the service principal's id
    name text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    display_name text not null,
    template text not null,
    created_at timestamptz not null default now()
);

create table app_role (
    app uuid not null references application on delete cascade,
    id uuid not null,
    position integer not null,                 -- the order is the precedence
    value text not null,
    display_name text not null,
    description text not null default '',
    is_enabled boolean not null default true,
    allowed_member_types text[] not null default '{User}',
    primary key (app, id)
);
create unique index app_role_value on app_role (app, lower(value)) where value <> '';

create table assignment (
    id uuid primary key default gen_random_uuid(),
    app uuid not null references application on delete cascade,
    principal_kind text not null check (principal_kind in ('User', 'Group')),
    principal_id uuid not null,
    role_id uuid not null default '00000000-0000-0000-0000-000000000000',
    created_at timestamptz not null default now(),
    unique (app, principal_id, role_id)
);
create index assignment_principal on assignment (principal_id);

-- Write-only: the secret leaves the database only for an Authorization header.
create table credential (
    app uuid primary key references application on delete cascade,
    tenant_url text not null,
    secret bytea,                              -- sealed by the vault; null after the origin of tenant_url has changed
    last_four text,
    set_at timestamptz,
    set_by text,
    tested_at timestamptz,
    test_result jsonb
);

-- ------------------------------------------------------------------------------------------------ jobs

create table job (
    id text primary key,                       -- <template>.<tenant>.<service principal>
    app uuid not null unique references application on delete cascade,
    status text not null default 'off' check (status in ('on', 'off')),
    started boolean not null default false,    -- an initial cycle has begun; from then on changes mark objects dirty
    config_version integer not null default 0,
    dependencies jsonb not null default '{}',  -- {"User": [attribute, ...], "Group": [...]}: the attributes whose change affects this job
    syncs_all boolean not null default false,  -- scope: all users and groups
    paused_at timestamptz,
    paused_by text,
    next_cycle_at timestamptz,                 -- the latest time at which an incremental cycle begins
    steady_at timestamptz,
    last_probe_at timestamptz,
    quarantine jsonb,                          -- {reason, began, next_attempt, series_count, error}
    successive_failures integer not null default 0,
    created_at timestamptz not null default now()
);

create table config_version (
    job text not null references job on delete cascade,
    version integer not null,
    config jsonb not null,
    created_at timestamptz not null default now(),
    author text not null default 'system',
    comment text not null default '',
    primary key (job, version)
);

create table link (
    job text not null,
    kind text not null,
    source_id uuid not null,
    target_id text not null,
    state text not null check (state in ('live', 'disabled', 'released', 'lost', 'tombstone')),
    display text not null default '',
    base jsonb not null default '{}',          -- target path -> value that both sides agreed on
    desired_hash text not null default '',
    config_version integer not null default 0,
    etag text not null default '',
    observed_at timestamptz,
    generated jsonb not null default '{}',
    cause text not null default '',
    review_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (job, kind, source_id)
);
-- The database prevents two people from having the same account.
create unique index link_target on link (job, kind, target_id) where state <> 'tombstone';
create index link_review on link (review_at) where review_at is not null;

-- The dirty set: the objects to evaluate. One row per job and object; a failed object is a row with a later not_before.
create sequence dirty_version;
create sequence dirty_attempt;                 -- one sequence for all rows: an attempt number is never used twice, not even after a row was deleted
create table dirty (
    job text not null,
    kind text not null,
    source_id uuid not null,
    lane smallint not null,
    reasons text[] not null,
    version bigint not null default nextval('dirty_version'),
    marked_at timestamptz not null default clock_timestamp(),
    not_before timestamptz not null default '-infinity',  -- infinity: parked until an administrator decides
    lease_owner text,
    lease_until timestamptz,
    attempt bigint not null default 0,         -- the fencing number: a late commit of an older attempt is refused
    first_failed_at timestamptz,
    failures integer not null default 0,
    last_error jsonb,
    cycle bigint,                              -- the cycle that counts it
    primary key (job, kind, source_id)
) with (fillfactor = 70);                      -- leases are updates in place
create index dirty_due on dirty (job, lane, not_before, marked_at);
create index dirty_oldest on dirty (job, marked_at);
create index dirty_cycle on dirty (cycle) where cycle is not null;

-- Member changes of provisioned groups, one row per (group, member).
create table dirty_member (
    job text not null references job on delete cascade,
    group_id uuid not null,
    member_id uuid not null,
    version bigint not null default nextval('dirty_version'),
    primary key (job, group_id, member_id)
);

create table target_member (
    job text not null,
    group_id uuid not null,
    member_id uuid not null,
    target_id text not null,
    primary key (job, group_id, member_id)
);

create table waiting_reference (
    job text not null references job on delete cascade,
    kind text not null,
    holder uuid not null,
    attribute text not null,
    missing uuid not null,
    primary key (job, holder, attribute, missing)
);
create index waiting_reference_missing on waiting_reference (job, missing);

-- Operations that may have been sent. Written before sending; settled by reading the account, never by a blind retry.
create table operation (
    id uuid primary key,
    job text not null,
    kind text not null,
    source_id uuid not null,
    target_id text not null default '',
    cycle bigint,
    action text not null,                      -- create, update, enable, disable, delete, members
    state text not null check (state in ('planned', 'confirmed', 'refused', 'ambiguous', 'held', 'dropped')),
    attempt bigint not null,
    before jsonb,
    after jsonb,
    grants boolean not null default false,     -- gives a privileged value; guarded like disables and deletes
    empties boolean not null default false,    -- removes the value of an attribute
    planned_at timestamptz not null default clock_timestamp(),
    settled_at timestamptz,
    request_count integer not null default 0,
    decided_by text,
    decision text,
    error jsonb
);
create index operation_open on operation (job, kind, source_id) where state in ('planned', 'ambiguous');
create unique index operation_held on operation (job, kind, source_id) where state = 'held';
create index operation_window on operation (job, planned_at)
    where action in ('disable', 'delete') or grants or empties;

-- One row per application, shared by all workers.
create table target_state (
    job text primary key references job on delete cascade,
    not_before timestamptz,                    -- Retry-After, for all workers
    rate double precision,                     -- learned requests per second; null = unlimited
    tokens double precision not null default 0,
    tokens_at timestamptz not null default now(),
    breaker text not null default 'closed' check (breaker in ('closed', 'open', 'half-open')),
    breaker_until timestamptz,
    transport_failures integer not null default 0,
    profile jsonb not null default '{}'
);

-- The cycles, which count the work.
create table cycle (
    id bigserial primary key,
    job text not null references job on delete cascade,
    kind text not null check (kind in ('initial', 'incremental', 'onDemand', 'reconcile')),
    state text not null default 'running' check (state in ('running', 'succeeded', 'entryLevelErrors', 'failed', 'cancelled')),
    phase text not null default 'source',      -- source, scope, match, write, references, done
    config_version integer not null,
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    total bigint not null default 0,           -- objects to process
    done bigint not null default 0,
    requests bigint not null default 0,
    counts jsonb not null default '{}',        -- {"created": 0, "updated": 0, ...}
    until_version bigint,                      -- dirty rows up to this version belong to it
    error jsonb
);
-- On-demand runs have their own rows besides the cycle that counts the job's own work.
create unique index cycle_running on cycle (job) where state = 'running' and kind <> 'onDemand';
create index cycle_job on cycle (job, id desc);

-- The application's accounts, before they are linked: their matching values, read page by page in the first cycle.
create table target_index (
    job text not null,
    kind text not null,
    target_id text not null,
    attribute text not null,
    value text not null,                       -- folded by the attribute's case rule
    account jsonb not null,
    read_at timestamptz not null default clock_timestamp(),
    primary key (job, kind, attribute, target_id)
);
create index target_index_value on target_index (job, kind, attribute, value);
create index target_index_target on target_index (job, kind, target_id);
create table target_index_state (
    job text not null references job on delete cascade,
    kind text not null,
    complete boolean not null default false,
    cycle bigint,                              -- trusted only while this cycle runs
    read_at timestamptz not null default clock_timestamp(),
    pages integer not null default 0,
    primary key (job, kind)
);

-- ------------------------------------------------------------------------------------------------ logs

create table provisioning_log (
    seq bigserial primary key,
    id uuid not null,
    change_id uuid not null,
    at timestamptz not null default clock_timestamp(),
    job text not null,
    app uuid not null,
    cycle bigint,
    action text not null,                      -- create, update, delete, stagedDelete, disable, other
    status text not null,                      -- success, warning, failure, skipped
    kind text not null,
    source_id uuid,
    source_display text not null default '',
    target_id text not null default '',
    target_display text not null default '',
    error_code text not null default '',
    reason text not null default '',
    duration_ms integer not null default 0,
    initiated_by text not null default 'system',
    record jsonb not null                      -- steps, modified properties, exchanges
);
create index provisioning_log_at on provisioning_log using brin (at);
create index provisioning_log_change on provisioning_log (change_id);
create index provisioning_log_source on provisioning_log (source_id, seq desc);
create index provisioning_log_job on provisioning_log (job, seq desc);

create table audit_log (
    seq bigserial primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    activity text not null,                    -- Entra's activity names
    object text not null,
    before jsonb,
    after jsonb,
    prev_hash bytea not null,
    hash bytea not null
);

-- ------------------------------------------------------------------------------------------------ functions

-- Mark objects dirty for one job. Repeated, late or out of order, the result is one row with the newest version and the most urgent lane.
-- Rows are locked in order, so that two transactions cannot deadlock.
create function mark_dirty(p_job text, p_kind text, p_ids uuid[], p_lane smallint, p_reason text) returns bigint
language sql as $$
    with marked as (
        insert into dirty (job, kind, source_id, lane, reasons)
        select p_job, p_kind, id, p_lane, array[p_reason]
        from (select distinct unnest(p_ids) as id order by 1) as wanted
        on conflict (job, kind, source_id) do update set
            version = nextval('dirty_version'),
            lane = least(dirty.lane, excluded.lane),
            reasons = case when dirty.reasons @> excluded.reasons then dirty.reasons else dirty.reasons || excluded.reasons end,
            not_before = '-infinity'
        returning 1
    )
    select count(*) from marked
$$;

-- The busy tables have no foreign key, because its check would lock the job's row for every written row. A trigger deletes their rows.
create function forget_job() returns trigger language plpgsql as $$
begin
    delete from dirty where job = old.id;
    delete from operation where job = old.id;
    delete from link where job = old.id;
    delete from target_index where job = old.id;
    delete from target_member where job = old.id;
    return old;
end
$$;
create trigger forget_job before delete on job for each row execute function forget_job();

-- New credentials make the probe due now, which can end a quarantine.
create function retry_with_new_credentials() returns trigger language plpgsql as $$
begin
    update job set last_probe_at = null, quarantine = jsonb_set(quarantine, '{nextAttempt}', to_jsonb(now()))
    where app = new.app;
    delete from target_state using job where job.app = new.app and target_state.job = job.id;
    return new;
end
$$;
create trigger retry_with_new_credentials after insert or update of tenant_url, secret on credential
    for each row execute function retry_with_new_credentials();

-- Add up two objects of counts, such as {"created": 2}.
create function add_counts(a jsonb, b jsonb) returns jsonb language sql immutable as $$
    select coalesce(jsonb_object_agg(key, total), '{}')
    from (
        select key, sum(value::bigint) as total
        from (select * from jsonb_each_text(a) union all select * from jsonb_each_text(b)) as both_sides
        group by key
    ) as summed
$$;

-- People in scope by assignment: directly, or as direct members of an assigned group.
create view effective_assignment as
    select app, principal_kind as kind, principal_id as object_id, role_id, null::uuid as via_group
    from assignment
    union all
    select assignment.app, member.member_kind, member.member_id, assignment.role_id, assignment.principal_id
    from assignment
    join member on member.group_id = assignment.principal_id
    join grp on grp.id = member.group_id and grp.deleted_at is null
    where assignment.principal_kind = 'Group' and member.member_kind = 'User';
