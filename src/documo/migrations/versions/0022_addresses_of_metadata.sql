-- The address of an account's SAML metadata contains this id instead of the account's number, which strangers can guess.
alter table accounts add column metadata_id uuid not null default gen_random_uuid();
create unique index accounts_metadata_id on accounts (metadata_id);
-- Identity providers may still read the metadata at the former address, with the number. It existed for accounts with keys.
alter table accounts add column metadata_by_number boolean not null default false;
update accounts set metadata_by_number = true where id in (select tenant_id from sso_keys);
