-- A claim writes a new version of the row. If it fits on the same page, no index is changed. A slice claims rows in the order in which they
-- were marked, so nearly all rows of a page are claimed at the same time. Rows that are marked from now on get this room.
alter table dirty set (fillfactor = 45);
