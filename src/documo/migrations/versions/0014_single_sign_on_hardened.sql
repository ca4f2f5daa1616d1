-- A name that nobody has proved belongs to nobody: any account may add it, and the first to verify it has it. The kind email proves an
-- email domain and serves nothing.
alter table domains drop constraint domains_pkey;
alter table domains add primary key (tenant_id, host);
create unique index domains_verified on domains (host) where verified_at is not null;
alter table domains drop constraint domains_kind_check;
alter table domains add constraint domains_kind_check check (kind in ('api', 'app', 'email'));

drop index single_sign_on_domain;
create index single_sign_on_domain on single_sign_on (email_domain) where email_domain <> '';
alter table single_sign_on add column domain_claimed_at timestamptz not null default statement_timestamp();

-- The ID of a request is sealed and says what these rows did, so that somebody who only begins a sign-in writes nothing.
drop table sso_requests;

-- Accounts may share a provider: what was used is no account's. The hash is that of the issuer and the ID, or of our request.
drop table sso_used_assertions;
create table sso_used (
    hash bytea primary key,
    expires_at timestamptz not null
);
create index sso_used_end on sso_used (expires_at);

-- Anybody can send what no provider signed. It has a list of its own, so that it pushes nothing else out, and no place in the audit log.
alter table sso_attempts add column is_genuine boolean not null default true;
drop index sso_attempts_of;
create index sso_attempts_of on sso_attempts (tenant_id, is_genuine, at desc);
drop trigger sso_refusal_audit on sso_attempts;
create trigger sso_refusal_audit after insert on sso_attempts for each row
    when (new.result <> '' and not new.is_test and new.is_genuine)
    execute function audit_row('Sign-in', 'number', 'person', 'number', 'result', 'detail', 'expected', 'received', 'address');

-- The page to go to next is kept in the browser that began the sign-in.
alter table sso_tickets drop column next;
