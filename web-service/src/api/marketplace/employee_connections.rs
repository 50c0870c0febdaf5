//! `EmployeeConnectionService`.

use crate::{resource::service, store::marketplace::employee_connections::EmployeeConnection};

service! { EmployeeConnection of employee_connections, get, list, create, update, delete }
