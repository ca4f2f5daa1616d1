-- An issuer is listed, scoped, revoked and used like a key. Its hash belongs to no secret, so nobody can use it as a key.
alter table api_keys drop constraint api_keys_kind_check;
alter table api_keys add constraint api_keys_kind_check check (kind in ('key', 'client', 'token', 'issuer'));
create table trusted_issuers (
    key_id uuid primary key references api_keys on delete cascade,
    issuer text not null,
    audience text not null,
    jwks jsonb not null
);
create index trusted_issuers_token on trusted_issuers (issuer, audience);
