-- A file that was uploaded and not imported yet, in parts, so that any process can import it. Deleted by the import, or after a day.
create table source_upload (
    id uuid primary key,
    source text not null,
    file_name text not null,
    size bigint not null,
    config jsonb not null,
    rehearsal jsonb,
    imported jsonb,
    created_by text not null,
    created_at timestamptz not null default now()
);
create table source_upload_part (
    upload uuid not null references source_upload on delete cascade,
    place integer not null,
    content bytea not null,
    primary key (upload, place)
);
-- What an import of a source changed. No foreign key: the statements that remove or rename a source also handle its runs.
create table source_run (
    id bigint generated always as identity primary key,
    source text not null,
    at timestamptz not null default now(),
    actor text not null,
    file_name text not null default '',
    passes jsonb not null,
    failure text not null default ''
);
create index source_run_by_source on source_run (source, id desc);
