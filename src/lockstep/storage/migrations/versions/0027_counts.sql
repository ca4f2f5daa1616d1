-- The failures of a day are counted on the first page: without this, much of the log is read.
create index provisioning_log_failure on provisioning_log (job, at) where status = 'failure';
-- The accounts of each application are counted on the same page, from the index alone.
create index link_counted on link (job, kind) where state in ('live', 'disabled');
