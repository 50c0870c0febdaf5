mod core_actions;
mod platforms;
