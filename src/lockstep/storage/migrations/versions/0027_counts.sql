-- The first page counts the failures of a day: without this index, much of the log would be read.
create index provisioning_log_failure on provisioning_log (job, at) where status = 'failure';
-- The same page counts the accounts of each application, from the index alone.
create index link_counted on link (job, kind) where state in ('live', 'disabled');
