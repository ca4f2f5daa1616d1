-- A rejection is in force until the plan of its object has no effect of that kind any more, or an administrator approves the write.
alter table operation add column rejection_ended_at timestamptz;
update operation set rejection_ended_at = clock_timestamp()
    where decision = 'rejected' and exists (select from change where change.object_id = operation.source_id
        and change.at > operation.settled_at);
drop index operation_rejected;
create index operation_rejected on operation (job, kind, source_id) where decision = 'rejected' and rejection_ended_at is null;
