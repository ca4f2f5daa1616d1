-- The single sign-on of an application. Without a row, an application has the defaults of its gallery entry and the method Disabled.
create table application_sso (
    app uuid primary key references application on delete cascade,
    config jsonb not null,
    pairwise_salt bytea not null,              -- persistent Name IDs are derived from it and must never change
    changed_at timestamptz not null default now(),
    changed_by text not null
);

-- Keys that sign for an application. The key itself is sealed.
create table signing_certificate (
    app uuid not null references application on delete cascade,
    thumbprint text not null,
    certificate text not null,                 -- PEM
    private_key bytea not null,
    not_before timestamptz not null,
    not_after timestamptz not null,
    is_active boolean not null,
    created_at timestamptz not null default now(),
    created_by text not null,
    primary key (app, thumbprint)
);
create unique index signing_certificate_active on signing_certificate (app) where is_active;
