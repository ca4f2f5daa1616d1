-- Single sign-on of administrators through one OpenID Connect provider.

create table single_sign_on (
    is_only boolean primary key default true check (is_only),
    name text not null,                        -- in "Sign in with NAME"
    issuer text not null,
    client_id text not null,
    secret bytea,                              -- sealed; null for a public client
    scopes text[] not null,
    roles_claim text not null,                 -- the claim whose values give roles
    trusts_email boolean not null,             -- accept an e-mail address that the provider does not call verified
    changed_at timestamptz not null,
    changed_by text not null
);

create table single_sign_on_role (
    claim_value text not null,
    role text not null,
    app uuid references application on delete cascade,
    unique nulls not distinct (claim_value, role, app),
    check ((role = 'applicationOwner') = (app is not null))
);
create index single_sign_on_role_app on single_sign_on_role (app) where app is not null;

-- An administrator either comes from a provider, which authenticates them, or has a password here; never both.
alter table administrator
    add column issuer text,
    add column subject text,
    add check ((issuer is null) = (subject is null)),
    add check (issuer is null or password_hash is null);
create unique index administrator_identity on administrator (issuer, subject) where issuer is not null;

-- Used responses of the provider, kept until they would be too old anyway: each works only once.
create table used_answer (
    state_hash bytea primary key,
    expires_at timestamptz not null
);
create index used_answer_expiry on used_answer (expires_at);
