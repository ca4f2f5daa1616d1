create table outbound_place (
    entry text primary key,                    -- https://host:port, or a network in CIDR form
    reason text not null default '',
    added_at timestamptz not null default now(),
    added_by text not null
);
