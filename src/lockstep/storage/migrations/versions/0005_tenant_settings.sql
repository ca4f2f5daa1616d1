alter table instance
    add column name text not null default '',
    add column settings jsonb not null default '{}',
    add column labels jsonb not null default '{}';
alter table application add column labels jsonb not null default '{}';
alter table source add column labels jsonb not null default '{}';
