-- Administrators are reminded 60, 30 and 7 days before a signing certificate ends, once each.
alter table signing_certificate add column reminded_days integer;  -- the last reminder; null if there was none
