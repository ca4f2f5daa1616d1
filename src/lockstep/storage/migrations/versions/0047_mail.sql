-- Lockstep sends mail through one server. A message is written in the transaction of the event that it reports.
create table mail_server (
    is_only boolean primary key default true check (is_only),
    host text not null,
    port integer not null check (port between 1 and 65535),
    security text not null check (security in ('none', 'starttls', 'tls')),
    sender text not null,                      -- the address in From
    user_name text not null default '',        -- '': Lockstep does not sign in
    secret bytea,                              -- its sealed password
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text not null
);

create table outgoing_mail (
    id uuid primary key default gen_random_uuid(),
    kind text not null,
    job text references job on delete set null,
    event text not null unique,                -- the event that it reports, so that an event is reported once
    recipient text not null,
    subject text not null,
    body_text text not null,
    body_html text not null,
    facts jsonb not null default '{}',         -- what it reports, to recognise that a later message would say the same
    written_at timestamptz not null default now(),
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
    attempts integer not null default 0,
    due_at timestamptz not null default now(), -- while a process sends it: when another one may take over
    ended_at timestamptz,                      -- when it was sent or given up
    problem text not null default '',          -- what went wrong at the last attempt
    remedy text not null default ''
);
create index outgoing_mail_due on outgoing_mail (due_at) where state = 'waiting';
create index outgoing_mail_newest on outgoing_mail (written_at desc, id desc);
create index outgoing_mail_of_job on outgoing_mail (job, kind, written_at desc);
