-- Passkeys, which administrators can use instead of a code of the authenticator app. Only public keys are stored.
create table passkey (
    id uuid primary key default gen_random_uuid(),
    administrator uuid not null references administrator on delete cascade,
    name text not null,
    host text not null,                        -- the host name that it was made for (the RP ID); it works for no other
    credential_id bytea not null unique,
    public_key bytea not null,
    sign_count bigint not null,
    created_at timestamptz not null,
    last_used_at timestamptz
);
create index passkey_of on passkey (administrator);
