mod file_folders;
mod files;
