-- Since when the application has not shown the account of an ended link, if nothing else says that it was deleted.
alter table link add column gone_at timestamptz;
-- Earlier versions ended links for good if an account could not be found. These accounts are looked for again, spread over a day.
update link set gone_at = updated_at, review_at = now() + random() * interval '1 day'
where state = 'tombstone' and cause <> 'takenOver'
    and not exists (select from operation where operation.job = link.job and operation.kind = link.kind
        and operation.source_id = link.source_id and operation.target_id = link.target_id
        and operation.action = 'delete' and operation.state = 'confirmed');
