-- People of the directory sign in to Lockstep, and through it to applications. Secrets are stored as hashes, the seed of the second factor
-- sealed.

create table person_sign_in_setting (
    is_only boolean primary key default true check (is_only),
    has_password boolean not null default true,        -- people may sign in with a password that they set here
    has_provider boolean not null default false,       -- people may sign in through the provider of the administrators
    needs_second_factor boolean not null default false, -- in addition to a password; a provider asks for its own
    contact text not null default '',                  -- where a person gets help who cannot sign in or has no access
    changed_at timestamptz not null default now(),
    changed_by text not null default ''
);
insert into person_sign_in_setting default values;

create table person_credential (
    person uuid primary key references person on delete cascade,
    password_hash text,                        -- argon2id; null until a one-time link was used
    second_factor bytea,                       -- the sealed TOTP seed; null without one
    second_factor_confirmed boolean not null default false,
    last_step bigint not null default 0,       -- the newest TOTP time step that was used, so that a code works only once
    issuer text,                               -- the provider that authenticates the person, since their first sign-in through it
    subject text,
    check ((issuer is null) = (subject is null))
);
create unique index person_credential_identity on person_credential (issuer, subject) where issuer is not null;

create table person_session (
    id uuid primary key default gen_random_uuid(),
    person uuid not null references person on delete cascade,
    secret_hash bytea not null unique,
    device text not null default '',           -- the browser's own description
    address text not null default '',          -- the client's address at the sign-in
    methods text[] not null,                   -- how the person authenticated: password, code, provider
    signed_in_at timestamptz not null,
    seen_at timestamptz not null,              -- exact to a minute
    expires_at timestamptz not null
);
create index person_session_of on person_session (person);
create index person_session_expiry on person_session (expires_at);

-- Links that work once, to set a password. A person has at most one.
create table person_link (
    person uuid primary key references person on delete cascade,
    secret_hash bytea not null unique,
    created_by text not null,
    expires_at timestamptz not null
);

-- The applications that a session has signed in to: for single logout.
create table person_session_application (
    session uuid not null references person_session on delete cascade,
    app uuid not null references application on delete cascade,
    session_index text not null,
    name_id text not null,
    name_id_format text not null,
    at timestamptz not null,
    primary key (session, app)
);
create index person_session_application_app on person_session_application (app);

create table sign_in_log (
    seq bigserial primary key,
    id uuid not null default gen_random_uuid(),
    at timestamptz not null,
    person uuid,                               -- null if the entered name is unknown: it is not stored, because it may be a password
    person_display text not null default '',   -- the user principal name at that time
    app uuid,                                  -- null means My Apps itself
    app_display text not null default '',
    address text not null default '',
    device text not null default '',
    methods text[] not null default '{}',
    protocol text not null default '',         -- saml or oidc; empty means My Apps itself
    result text not null check (result in ('success', 'failure', 'interrupted')),
    code text not null default '',             -- the reason of a refusal
    detail text not null default ''            -- what was expected and received; for administrators only
);
create index sign_in_log_at on sign_in_log using brin (at);
create index sign_in_log_person on sign_in_log (person, seq desc) where person is not null;
create index sign_in_log_app on sign_in_log (app, seq desc) where app is not null;
create index sign_in_log_failed on sign_in_log (seq desc) where result <> 'success';

-- One rule for all ways in which a person changes (import, pages, command line): a person who is disabled or deleted is signed out
-- everywhere, in the same transaction.
create function sign_person_out() returns trigger language plpgsql as $$
begin
    delete from person_session where person = old.id;
    delete from person_link where person = old.id;
    return null;
end
$$;
create trigger person_signed_out after update of account_enabled, deleted_at on person
    for each row when ((old.account_enabled and not new.account_enabled) or (old.deleted_at is null and new.deleted_at is not null))
    execute function sign_person_out();
