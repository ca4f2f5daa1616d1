alter table preview add column has_fingerprints boolean not null default false;
alter table preview_object add column fingerprint text not null default ''; -- of the plan; '' if the object could not be planned
create index preview_object_by_id on preview_object (preview, kind, id);

-- The preview that the cycle applies. It is kept when the preview is removed: such a cycle must write nothing else.
alter table cycle add column preview bigint;
create index cycle_of_preview on cycle (preview) where preview is not null;

-- The objects that a cycle has left because they were planned differently than in the preview that it applied.
create table preview_left (
    preview bigint not null references preview on delete cascade,
    kind text not null,
    id uuid not null,
    planned jsonb not null,                     -- the new plan, with the columns of preview_object
    left_at timestamptz not null default now(),
    primary key (preview, kind, id)
);
