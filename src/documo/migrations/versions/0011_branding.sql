-- A domain serves either the API (SCIM) or the pages of its account. The last answer of the name server is shown until the next check.
alter table domains add column kind text not null default 'api' check (kind in ('api', 'app'));
alter table domains add column seen_txt text[];
alter table domains add column seen_cname text;
alter table domains add column checked_at timestamptz;

create table branding (
    tenant_id int primary key references accounts,
    name text not null default '',
    accent text not null default '',
    logo bytea,
    logo_type text,
    logo_version text
);
-- Also read before the tenant is known: the sign-in page on an account's own domain shows its brand.
alter table branding enable row level security;
alter table branding force row level security;
create policy tenant_wall on branding using (
    (select nullif(current_setting('documo.tenant', true), '')::int) is null
    or tenant_id = (select nullif(current_setting('documo.tenant', true), '')::int)
);
