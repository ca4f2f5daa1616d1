-- Attempts are counted for an entered e-mail address, or for the network address of a client.
alter table sign_in_attempt rename column email_hash to subject_hash;
