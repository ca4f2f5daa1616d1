create table preview (
    id bigint generated always as identity primary key,
    job text not null references job on delete cascade,
    state text not null check (state in ('waiting', 'running', 'done', 'failed', 'stopped')),
    started_by text not null,
    created_at timestamptz not null default now(),
    beat_at timestamptz not null default now(), -- when the process that makes it last reported progress
    ended_at timestamptz,
    owner text not null default '',             -- the process that makes it
    attempts integer not null default 0,
    config_version integer not null,            -- the version of the configuration that it uses
    phase text not null default '',
    done bigint not null default 0,             -- planned objects
    total bigint not null default 0,
    requests bigint not null default 0,
    counts jsonb not null default '{}',         -- objects by action
    risks jsonb not null default '[]',
    error jsonb
);
-- One at a time for each job.
create unique index preview_under_way on preview (job) where state in ('waiting', 'running');
create index preview_of_job on preview (job, id);

create table preview_object (
    preview bigint not null references preview on delete cascade,
    rank smallint not null,                     -- by action: what a person should look at first has the lowest
    sort_name text collate "C" not null,
    id uuid not null,
    kind text not null,
    name text not null,
    display_name text not null,
    action text not null,
    is_held boolean not null,                   -- a guard or an administrator's decision keeps the write back
    is_due boolean not null,                    -- the next incremental cycle looks at the object
    effects text[] not null,
    code text not null,
    reason text not null,
    next_step text not null,
    target_id text not null,
    changes jsonb not null,
    primary key (preview, rank, sort_name, kind, id)
);

-- The application's accounts, listed for one preview and removed at its end.
create unlogged table preview_account (
    preview bigint not null references preview on delete cascade,
    kind text not null,
    target_id text not null,
    attribute text not null,
    value text not null,                        -- folded by the attribute's case rule
    account jsonb not null,
    read_at timestamptz not null default clock_timestamp(),
    primary key (preview, kind, attribute, target_id)
);
create index preview_account_value on preview_account (preview, kind, attribute, value);
create index preview_account_target on preview_account (preview, kind, target_id);
