-- The identity provider of an account. Its Admins enter these values, or Documo reads them from the provider's metadata.
create table single_sign_on (
    tenant_id int primary key references accounts on delete cascade,
    entity_id text not null,
    sign_in_url text not null,
    logout_url text not null default '',
    email_domain text not null default '',
    identity_attribute text not null default '',     -- empty: the Name ID
    certificates text not null,                      -- PEM, one or several
    requests_signed boolean not null default false,
    requests_by_post boolean not null default false, -- the provider accepts only requests by form
    metadata_url text not null default '',
    metadata_read_at timestamptz,
    metadata_problem text not null default '',
    is_enforced boolean not null default false,
    break_glass uuid,                                -- the Admin who may still use a password
    allows_unsolicited boolean not null default true,
    allows_sha1 boolean not null default false,
    allows_rsa15 boolean not null default false,
    creates_members boolean not null default false,
    default_role text not null default '',
    changed_at timestamptz not null default statement_timestamp()
);
-- A domain belongs to one account. If two accounts claimed the same one, people would be sent to the wrong provider.
create unique index single_sign_on_domain on single_sign_on (email_domain) where email_domain <> '';
create index single_sign_on_entity on single_sign_on (entity_id);

-- The key with which an account's requests are signed, and to which assertions are encrypted.
create table sso_keys (
    tenant_id int primary key references accounts on delete cascade,
    certificate text not null,
    private_key text not null
);

-- A request that was sent to a provider. The hash is that of the secret in the browser where the sign-in began.
create table sso_requests (
    id text primary key,                             -- the ID of the AuthnRequest or LogoutRequest
    reference text not null unique,                  -- the RelayState
    tenant_id int not null references accounts on delete cascade,
    browser_hash bytea not null,
    reply_url text not null,
    next text not null default '/',
    tested_by text not null default '',              -- the user name of the Admin who tests
    expires_at timestamptz not null
);
create index sso_requests_end on sso_requests (expires_at);

-- A response that was accepted, kept until its browser begins the session.
create table sso_tickets (
    secret_hash bytea primary key,
    tenant_id int not null references accounts on delete cascade,
    member_id uuid,                                  -- null: a test
    browser_hash bytea,                              -- null: the sign-in began at the provider
    next text not null,
    name_id text not null default '',
    session_index text not null default '',
    session_ends_at timestamptz,
    attempt_id uuid,
    expires_at timestamptz not null
);
create index sso_tickets_end on sso_tickets (expires_at);

-- Assertions that were used, because each works only once. Kept until the assertion has expired.
create table sso_used_assertions (
    tenant_id int not null references accounts on delete cascade,
    assertion_hash bytea not null,
    expires_at timestamptz not null,
    primary key (tenant_id, assertion_hash)
);
create index sso_used_assertions_end on sso_used_assertions (expires_at);

-- The outcome of each sign-in through a provider. Under the number that the person was shown, an Admin finds what was expected and received.
create table sso_attempts (
    id uuid primary key default gen_random_uuid(),
    tenant_id int not null references accounts on delete cascade,
    at timestamptz not null,
    number text not null,
    result text not null,                            -- "" for a success, otherwise the code of the refusal
    detail text not null default '',
    expected text not null default '',
    received text not null default '',
    person text not null default '',
    is_test boolean not null default false,
    response text not null default '',               -- of a test: the XML
    address text not null default ''
);
create index sso_attempts_of on sso_attempts (tenant_id, at desc);

alter table member_sessions add column name_id text not null default '';
alter table member_sessions add column session_index text not null default '';

do $$
declare
    name text;
    tenant constant text := '(select nullif(current_setting(''documo.tenant'', true), '''')::int)';
begin
    foreach name in array array[
        'single_sign_on', 'sso_keys', 'sso_requests', 'sso_tickets', 'sso_used_assertions', 'sso_attempts'
    ] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant_wall on %I using (%s is null or tenant_id = %s)', name, tenant, tenant);
    end loop;
end
$$;
