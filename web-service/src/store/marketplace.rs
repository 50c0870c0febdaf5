//! Who can be hired, and whom an organization has hired.

pub mod employee_connections;
pub mod hired_employees;
pub mod virtual_employees;
