-- The gallery entry for applications that are not in the gallery is called "custom": many of them only sign people in.
update application set template = 'custom' where template = 'custom-scim';
