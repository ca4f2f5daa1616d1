-- Further match keys are also asked of creates that have ended: an account that was made meanwhile must not be made again.
drop index operation_other_keys;
create index operation_other_keys on operation using gin (other_keys)
    where other_keys is not null and state in ('planned', 'ambiguous', 'confirmed');
