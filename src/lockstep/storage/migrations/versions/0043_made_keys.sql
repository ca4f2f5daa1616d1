-- Further match keys are also looked up in finished creates, so that an account that was created in the meantime is not created again.
drop index operation_other_keys;
create index operation_other_keys on operation using gin (other_keys)
    where other_keys is not null and state in ('planned', 'ambiguous', 'confirmed');
