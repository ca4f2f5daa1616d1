-- People of the directory may have passkeys, too. A passkey belongs either to an administrator or to a person.
alter table passkey
    alter column administrator drop not null,
    add column person uuid references person on delete cascade,
    add constraint passkey_owner check (num_nonnulls(administrator, person) = 1);
create index passkey_of_person on passkey (person) where person is not null;
