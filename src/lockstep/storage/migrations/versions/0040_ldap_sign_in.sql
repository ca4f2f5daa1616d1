-- People may sign in with the password that they have in an LDAP directory, for example Active Directory.
alter table person_sign_in_setting add column has_ldap boolean not null default false;
create table ldap_directory (
    is_only boolean primary key default true check (is_only),
    url text not null,                 -- ldaps://host:port; ldap:// on this machine alone
    base_dn text not null,             -- people are below it
    attribute text not null,           -- of an entry: the user principal name of the person
    bind_dn text not null,             -- as whom entries are looked for
    secret bytea not null,             -- its sealed password
    ca text not null default '',       -- PEM
    changed_at timestamptz not null default now(),
    changed_by text not null default ''
);
