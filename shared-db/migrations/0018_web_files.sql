-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, adding-serial-primary-key-field
-- Files: their names, the folders that they lie in, and which bytes an organization has.
--
-- Each primary key is made last, as migration 0011 says.

create table web.file_folders (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    parent_id uuid,
    name text not null,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- Longer circles, and the depth, are kept from by the statements that create and move, under a lock of the organization's row.
    constraint file_folders_parent_id_check check (parent_id <> id),
    constraint file_folders_name_check check (char_length(name) between 1 and 255),
    constraint file_folders_name_key unique nulls not distinct (org_id, parent_id, name)
);
create index file_folders_newest on web.file_folders (org_id, created_at desc, id desc);
create index file_folders_by_parent on web.file_folders (org_id, parent_id, created_at desc, id desc);
alter table web.file_folders add constraint file_folders_pkey primary key (org_id, id);
alter table web.file_folders
    add constraint file_folders_parent_id_fkey foreign key (org_id, parent_id) references web.file_folders (org_id, id);

-- Which bytes an organization has, by what they are. It has no foreign key to organizations, so that the bytes of one that is deleted are
-- found and removed. Bytes that no file has are removed some time after they were last uploaded.
create table web.file_blobs (
    org_id uuid not null,
    sha256 bytea not null,
    size_bytes bigint not null,
    created_at timestamptz not null default now(),
    -- When these bytes were last uploaded.
    updated_at timestamptz not null default now(),
    constraint file_blobs_sha256_check check (octet_length(sha256) = 32),
    constraint file_blobs_size_bytes_check check (size_bytes >= 0)
);
alter table web.file_blobs add constraint file_blobs_pkey primary key (org_id, sha256);

create table web.files (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    folder_id uuid,
    name text not null,
    media_type text not null,
    size_bytes bigint not null,
    sha256 bytea not null,
    tags text[] not null default '{}',
    description text,
    -- A user. Not a foreign key: who has left has still uploaded it.
    created_by uuid,
    deleted_at timestamptz,
    -- Words are parted where people see them parted, so that report_2026.pdf is found by each of its three. There is no GIN index on it:
    -- under row-level security PostgreSQL takes an operator for a condition of an index only if it is leakproof, and @@ is not, so the
    -- service could never use one. A search reads the organization's files, newest first, until a page is full.
    search tsvector not null generated always as (
        setweight(to_tsvector('simple'::regconfig, translate(name, '._-/', '    ')), 'A')
        || setweight(to_tsvector('simple'::regconfig, translate(coalesce(description, ''), '._-/', '    ')), 'B')
    ) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint files_name_check check (char_length(name) between 1 and 255),
    constraint files_media_type_check check (char_length(media_type) between 3 and 200),
    constraint files_size_bytes_check check (size_bytes >= 0),
    constraint files_sha256_check check (octet_length(sha256) = 32),
    constraint files_tags_check check (cardinality(tags) <= 50),
    constraint files_description_check check (char_length(description) <= 4000)
);
create index files_newest on web.files (org_id, created_at desc, id desc);
create index files_by_folder on web.files (org_id, folder_id, created_at desc, id desc);
create index files_by_bytes on web.files (org_id, sha256);
create index files_deleted on web.files (deleted_at) where deleted_at is not null;
alter table web.files add constraint files_pkey primary key (org_id, id);
alter table web.files
    add constraint files_folder_id_fkey foreign key (org_id, folder_id) references web.file_folders (org_id, id);
alter table web.files
    add constraint files_sha256_fkey foreign key (org_id, sha256) references web.file_blobs (org_id, sha256);
