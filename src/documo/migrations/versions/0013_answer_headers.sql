-- Headers of the answer that a client acts on: ETag, Location, Retry-After, Allow, WWW-Authenticate. Null for older entries.
alter table request_log add column response_headers json;
