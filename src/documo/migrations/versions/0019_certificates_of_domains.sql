-- The TLS certificate that a domain of the API or of the pages served when it was checked last: problem, remedy, issuer, expires_at, names.
alter table domains add column seen_tls jsonb;
