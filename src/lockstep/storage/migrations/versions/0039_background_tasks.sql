create table background_task (
    id uuid primary key,
    kind text not null,
    target text not null,
    resource text not null,
    actor text not null,                        -- only this person can see the task
    phase text not null default '',
    done bigint not null default 0,
    fraction double precision,                  -- null: unknown
    created_at timestamptz not null default now(),
    beat_at timestamptz not null default now(), -- when its process last reported progress
    ended_at timestamptz,
    result jsonb,
    error jsonb
);
create index background_task_created on background_task (created_at);
