-- The former owners of an account, read whenever an object gets the account.
create index link_former on link (job, kind, target_id) where state = 'tombstone';
