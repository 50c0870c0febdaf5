//! `VirtualEmployeeService`.

use crate::{resource::service, store::marketplace::virtual_employees::VirtualEmployee};

service! { VirtualEmployee of virtual_employees, get, list, create, update, delete }
