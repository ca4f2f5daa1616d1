create index operation_rejected on operation (job, kind, source_id) where decision = 'rejected';
