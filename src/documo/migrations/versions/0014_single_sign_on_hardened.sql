-- An unverified domain name belongs to nobody: any account may add it, and the first one to verify it owns it. A domain of the kind email is
-- only verified as an email domain; no pages are served on it.
alter table domains drop constraint domains_pkey;
alter table domains add primary key (tenant_id, host);
create unique index domains_verified on domains (host) where verified_at is not null;
alter table domains drop constraint domains_kind_check;
alter table domains add constraint domains_kind_check check (kind in ('api', 'app', 'email'));

drop index single_sign_on_domain;
create index single_sign_on_domain on single_sign_on (email_domain) where email_domain <> '';
alter table single_sign_on add column domain_claimed_at timestamptz not null default statement_timestamp();

-- The encrypted ID of a request contains everything that was in these rows, so beginning a sign-in writes nothing.
drop table sso_requests;

-- Used assertions and requests do not belong to an account, because accounts may share a provider. The hash is that of the issuer and the
-- assertion's ID, or that of our request's ID.
drop table sso_used_assertions;
create table sso_used (
    hash bytea primary key,
    expires_at timestamptz not null
);
create index sso_used_end on sso_used (expires_at);

-- Anybody can send unsigned responses. They are in a separate list, so that they push no others out, and not in the audit log.
alter table sso_attempts add column is_genuine boolean not null default true;
drop index sso_attempts_of;
create index sso_attempts_of on sso_attempts (tenant_id, is_genuine, at desc);
drop trigger sso_refusal_audit on sso_attempts;
create trigger sso_refusal_audit after insert on sso_attempts for each row
    when (new.result <> '' and not new.is_test and new.is_genuine)
    execute function audit_row('Sign-in', 'number', 'person', 'number', 'result', 'detail', 'expected', 'received', 'address');

-- The browser that began the sign-in stores which page to show next.
alter table sso_tickets drop column next;
