-- Who had an account before: asked whenever somebody gets one.
create index link_former on link (job, kind, target_id) where state = 'tombstone';
