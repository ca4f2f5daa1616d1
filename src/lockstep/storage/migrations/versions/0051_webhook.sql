-- Notifications are also sent to a webhook, and to the addresses of the organisation. The address of a webhook may be a secret itself.
create table webhook (
    is_only boolean primary key default true check (is_only),
    origin text not null,                      -- scheme, host and port of the address: what may be shown
    address bytea not null,                    -- the sealed address
    secret bytea,                              -- the sealed signing secret; null: requests are not signed
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text not null
);

-- The recipients of a message: each audience has its own series of messages about an application.
alter table outgoing_mail add column audience text not null default 'application'
    check (audience in ('application', 'organisation', 'webhook'));

-- A webhook in a file was stored only. It is set with a command, on a page or over the API now.
update instance set settings = settings #- '{notifications,webhook}';
