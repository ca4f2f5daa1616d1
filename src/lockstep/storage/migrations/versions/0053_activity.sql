-- One row for each recorded batch; a task sums the rows of a minute and later those of half an hour, so that recording never waits for a row
-- that others write.
-- There is no reference to job, because recording must not lock it.
create table activity (
    job text not null,
    at timestamptz not null default now(),
    minutes smallint not null default 0,       -- the row is the sum of so many minutes: 0 (one batch), 1 or 30
    counts jsonb not null,                     -- objects by what was done, with the keys of cycle.counts
    failures jsonb,                            -- failures by error code
    responses jsonb,                           -- response times of requests; numbers by length (engine/durations.py)
    gained jsonb,                              -- how long people waited for access, in the same form
    lost jsonb                                 -- how long access lasted after it should have ended, in the same form
);
create index activity_job on activity (job, at);
create index activity_to_sum on activity (at) where minutes < 30;
create index activity_lost on activity (at) where lost is not null;

create aggregate sum_counts(jsonb) (sfunc = add_counts, stype = jsonb, initcond = '{}');

-- The length of the queue of each job. A row is written when the length has changed.
create table queue_depth (
    job text not null references job on delete cascade,
    at timestamptz not null default now(),
    waiting integer not null,
    primary key (job, at)
);
