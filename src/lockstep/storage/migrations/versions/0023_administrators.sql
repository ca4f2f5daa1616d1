-- The people who administer Lockstep. They are not people of the directory: if a person leaves a source, an administrator decides whether they
-- keep the admin centre, not the import. All secrets are stored as hashes, except the seed of the second factor, which is sealed.

create table administrator (
    id uuid primary key default gen_random_uuid(),
    email text not null check (email = lower(email)),
    display_name text not null default '',
    password_hash text,                        -- argon2id; null until the invitation is accepted, and for single sign-on
    second_factor bytea,                       -- the sealed TOTP seed; null without one
    second_factor_confirmed boolean not null default false, -- a code was entered once
    last_step bigint not null default 0,       -- the newest TOTP time step that was used, so that a code works only once
    is_enabled boolean not null default true,
    created_at timestamptz not null default now(),
    created_by text not null,
    last_sign_in_at timestamptz
);
create unique index administrator_email on administrator (email);

-- Application owners have one grant for each of their applications; all other roles are for the whole installation.
create table role_grant (
    administrator uuid not null references administrator on delete cascade,
    role text not null,
    app uuid references application on delete cascade,
    granted_at timestamptz not null default now(),
    granted_by text not null,
    unique nulls not distinct (administrator, role, app),
    check ((role = 'applicationOwner') = (app is not null))
);
create index role_grant_app on role_grant (app) where app is not null;

create table administrator_session (
    id uuid primary key default gen_random_uuid(),
    administrator uuid not null references administrator on delete cascade,
    secret_hash bytea not null unique,
    device text not null default '',           -- the browser's own description
    signed_in_at timestamptz not null,
    seen_at timestamptz not null,              -- exact to a minute
    stepped_up_at timestamptz not null,        -- when the password was last entered
    expires_at timestamptz not null
);
create index administrator_session_of on administrator_session (administrator);

create table access_token (
    id uuid primary key default gen_random_uuid(),
    kind text not null check (kind in ('personal', 'service')),
    name text not null,
    owner uuid references administrator on delete cascade,
    scopes text[] not null,
    secret_hash bytea not null unique,
    hint text not null,                        -- the last four characters
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz not null,
    last_used_at timestamptz,
    check ((kind = 'personal') = (owner is not null))
);
create index access_token_owner on access_token (owner);

-- Invitations, password resets, and the link for the first administrator, whose account does not exist yet.
create table one_time_link (
    id uuid primary key default gen_random_uuid(),
    purpose text not null check (purpose in ('first', 'invitation', 'reset')),
    administrator uuid references administrator on delete cascade,
    secret_hash bytea not null unique,
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz not null,
    check ((purpose = 'first') = (administrator is null))
);
create unique index one_time_link_first on one_time_link (purpose) where purpose = 'first';
create unique index one_time_link_of on one_time_link (administrator);

-- Failed sign-ins by the hash of the entered e-mail, known or unknown: people type passwords into the wrong field.
create table sign_in_attempt (
    email_hash bytea primary key,
    failures integer not null,
    last_at timestamptz not null,
    locked_until timestamptz
);
create index sign_in_attempt_last on sign_in_attempt (last_at);

create table recovery_code (
    administrator uuid not null references administrator on delete cascade,
    code_hash bytea not null,
    primary key (administrator, code_hash)
);
