-- Groups whose members were written, and that the application shows without any: nothing says whether they were kept.
create table unverified_group (
    job text not null references job on delete cascade,
    group_id uuid not null,
    since timestamptz not null default now(),
    primary key (job, group_id)
);
