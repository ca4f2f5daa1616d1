alter table ldap_directory
    add column starts_tls boolean not null default false,   -- with ldap://
    add column login_attribute text not null default '';    -- of an entry: what a person may enter as name, such as sAMAccountName
