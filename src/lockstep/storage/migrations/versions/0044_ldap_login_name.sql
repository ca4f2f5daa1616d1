alter table ldap_directory
    add column starts_tls boolean not null default false,   -- with ldap://
    add column login_attribute text not null default '';    -- the attribute of an entry that a person may enter as their name, such as sAMAccountName
