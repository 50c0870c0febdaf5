-- What an item of a workspace leads to goes with its kind: a link has an address, and anything else the id of what it leads to.
--
-- It holds for what is written from now on. Items of before were not asked, and must not keep a database from its upgrade.

alter table web.workspace_items
    add constraint workspace_items_kind_resource_id_check check ((kind = 'link') = (resource_id is null)) not valid,
    add constraint workspace_items_kind_url_check check ((kind = 'link') = (url is not null)) not valid;
