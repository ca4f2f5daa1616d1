-- Response headers to which a client reacts: ETag, Location, Retry-After, Allow, WWW-Authenticate. Null for older entries.
alter table request_log add column response_headers json;
