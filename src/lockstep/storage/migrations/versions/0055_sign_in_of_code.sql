-- The record in the sign-in log for which the code was issued. A test shows with it whether the application exchanged the code.
alter table openid_code add column sign_in uuid;
