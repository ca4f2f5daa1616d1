-- What attempts are counted for is an e-mail address that was entered, or the network address of a client.
alter table sign_in_attempt rename column email_hash to subject_hash;
