-- Lockstep as OpenID Connect provider. Secrets, codes and tokens are stored as hashes, signing keys are sealed.

-- Keys that sign tokens for all applications. The next one is published before it signs; a retired one while its tokens may be valid.
create table openid_key (
    kid text primary key,
    public_key jsonb not null,
    private_key bytea not null,
    state text not null check (state in ('next', 'active', 'retired')),
    created_at timestamptz not null,
    published_at timestamptz not null,
    retired_at timestamptz,
    created_by text not null
);
create unique index openid_key_active on openid_key (state) where state in ('active', 'next');

create table client_secret (
    id uuid primary key default gen_random_uuid(),
    app uuid not null references application on delete cascade,
    secret_hash bytea not null unique,
    hint text not null,                        -- the first characters, to distinguish secrets
    description text not null default '',
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz not null,
    last_used_at timestamptz                   -- exact to an hour
);
create index client_secret_app on client_secret (app);

-- One sign-in to an application. Every token belongs to one, and ends with it.
create table openid_grant (
    id uuid primary key,
    app uuid not null references application on delete cascade,
    person uuid not null references person on delete cascade,
    session uuid,                              -- null after the session has ended: then only offline access continues
    is_offline boolean not null,
    scopes text[] not null,
    issuer text not null,
    subject text not null,
    sid text not null,
    nonce text not null default '',
    methods text[] not null,
    authenticated_at timestamptz not null,
    created_at timestamptz not null,
    ends_at timestamptz not null
);
create index openid_grant_session on openid_grant (session) where session is not null;
create index openid_grant_person on openid_grant (person);
create index openid_grant_app on openid_grant (app);
create index openid_grant_end on openid_grant (ends_at);

create table openid_code (
    code_hash bytea primary key,
    app uuid not null references application on delete cascade,
    session uuid not null references person_session on delete cascade,
    redirect_uri text not null,
    scopes text[] not null,
    nonce text not null,
    challenge text not null,
    expires_at timestamptz not null,
    grant_id uuid                              -- the grant that the code was redeemed for; a second use ends the grant
);
create index openid_code_session on openid_code (session);
create index openid_code_app on openid_code (app);
create index openid_code_expiry on openid_code (expires_at);

create table openid_token (
    token_hash bytea primary key,
    grant_id uuid not null references openid_grant on delete cascade,
    is_refresh boolean not null,
    scopes text[] not null,
    expires_at timestamptz not null,
    used_at timestamptz                        -- for a refresh token: a second use ends the grant
);
create index openid_token_grant on openid_token (grant_id);
create index openid_token_expiry on openid_token (expires_at);

-- Applications that still have to be told that a person has signed out.
create table openid_logout (
    id uuid primary key default gen_random_uuid(),
    app uuid not null references application on delete cascade,
    issuer text not null,
    subject text not null,
    sid text not null,
    due_at timestamptz not null default now(),
    attempts int not null default 0,
    created_at timestamptz not null default now()
);
create index openid_logout_due on openid_logout (due_at);
create index openid_logout_app on openid_logout (app);

-- Whenever a session ends, in the same transaction: end everything except offline access, and let applications be told.
create function end_openid_of_session() returns trigger language plpgsql as $$
begin
    insert into openid_logout (app, issuer, subject, sid)
        select distinct app, issuer, subject, sid from openid_grant where session = old.id;
    delete from openid_grant where session = old.id and not is_offline;
    update openid_grant set session = null where session = old.id;
    return null;
end
$$;
create trigger openid_session_ended after delete on person_session for each row execute function end_openid_of_session();

-- A person who is disabled or deleted loses offline access too.
create or replace function sign_person_out() returns trigger language plpgsql as $$
begin
    delete from person_session where person = old.id;
    delete from person_link where person = old.id;
    insert into openid_logout (app, issuer, subject, sid)
        select distinct app, issuer, subject, '' from openid_grant where person = old.id;
    delete from openid_grant where person = old.id;
    return null;
end
$$;
