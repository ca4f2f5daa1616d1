-- Values that the application returned differently or not at all. Keys are target paths, values {sent, answered, times, awaited, mapping}.
alter table link add column answers jsonb not null default '{}';

-- Attributes that were sent and that this many consecutive responses left out.
create table unkept_attribute (
    job text not null references job on delete cascade,
    kind text not null,
    path text not null,
    mapping text not null,                     -- fingerprint of the mapping; if the mapping has changed, the row is ignored
    answers integer not null,
    source_id uuid not null,                   -- the object of the last response
    display text not null default '',
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (job, kind, path)
);
