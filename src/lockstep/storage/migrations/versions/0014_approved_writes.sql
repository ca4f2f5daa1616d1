create index operation_approved on operation (job, kind, source_id) where decision = 'approved' and state = 'dropped';
