mod calendar_events;
mod messages;
mod note_folders;
mod notes;
mod sheet_versions;
mod tasks;
