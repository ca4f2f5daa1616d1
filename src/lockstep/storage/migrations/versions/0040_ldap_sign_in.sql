-- People may sign in with their password of an LDAP directory, for example Active Directory.
alter table person_sign_in_setting add column has_ldap boolean not null default false;
create table ldap_directory (
    is_only boolean primary key default true check (is_only),
    url text not null,                 -- ldaps://host:port; ldap:// only on this machine
    base_dn text not null,             -- the entry that people are below
    attribute text not null,           -- the attribute of an entry that contains the person's user principal name
    bind_dn text not null,             -- the account that searches for entries
    secret bytea not null,             -- its sealed password
    ca text not null default '',       -- PEM
    changed_at timestamptz not null default now(),
    changed_by text not null default ''
);
