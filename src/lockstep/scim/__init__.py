"""SCIM 2.0 as pure functions (RFC 7643, 7644, 9865), for client and server. Independent of provisioning.

Resources are plain dicts whose keys have the spelling of the schema. Invalid input raises `errors.ScimError` and no other exception.
The modules:

errors          ScimError(status, scim_type, detail, path), error_body(); invalid_filter, no_target, uniqueness_error, ...
limits          read_json(raw): parse untrusted bytes (size, depth, duplicate keys, lone surrogates)
schema          Attribute, Schema, ResourceType; from and to JSON
registry        default_registry(), SchemaRegistry (.resource("User"), .at_endpoint("Users"), .with_extension, .with_schema,
                .with_resource_type), ResourceDefinition (.find(path.name) -> PathTarget, .attribute(name, urn))
names           AttributePath, parse_name: `urn:...:User:manager.value`
filters         parse_filter, print_filter; Comparison, Present, And, Or, Not, ValuePath
filter_match    compile_text(text, definition), compile_filter, compile_element_filter -> a predicate on a resource
comparisons     operand(comparison, attribute): the typed value to compare with; a store needs it for SQL too
paths           Path, parse_path: `emails[type eq "work"].value`
operations      Operation, read_operations (strict), patch_body
profiles        Profile, profile_named
normalize       normalize_patch, normalize_resource, normalize_filter -> (result, tolerances applied)
validate        validate_resource (create, replace), check_required, schemas_of
patch           apply_patch(resource, operations, definition) -> PatchResult(resource, changed, touched)
members         split_member_operations -> (AddMembers | RemoveMembers | ReplaceMembers | RemoveAllMembers, the rest)
projection      projection(definition, attributes=, excluded=) -> a function of a resource, with .wants(name)
messages        search_from_query, search_from_body, list_response, read_bulk, bulk_response
discovery       service_provider_config, resource_types_body, schemas_body
patch_build     patch_operations(changes, current, mode), member_operations, build_patch(before, after, definition)
target_values   to_resource, read_path and the other conversions between target paths and resources
"""
