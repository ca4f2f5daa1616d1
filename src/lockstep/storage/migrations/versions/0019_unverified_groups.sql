-- Groups whose written members the application does not show, so that nothing proves that it kept them.
create table unverified_group (
    job text not null references job on delete cascade,
    group_id uuid not null,
    since timestamptz not null default now(),
    primary key (job, group_id)
);
