-- Target path -> {sent, answered, times, awaited, mapping}: values that the application answered with another one, or with none.
alter table link add column answers jsonb not null default '{}';

-- Attributes that answers left out although they had been sent, so many times in a row.
create table unkept_attribute (
    job text not null references job on delete cascade,
    kind text not null,
    path text not null,
    mapping text not null,                     -- fingerprint of the mapping that it is about: with another one it does not count
    answers integer not null,
    source_id uuid not null,                   -- whose account the last answer was about
    display text not null default '',
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (job, kind, path)
);
