//! An agent that organizations can hire: the same for all of them.

use crate::{
    configs,
    resource::{Decimal, Everyone, Object, Rules, resource},
    store::enums::EmployeeSource,
};
use shared_db::{error::Result, ids::VirtualEmployeeId};
use sqlx::PgConnection;

resource! {
    /// An agent that organizations can hire: the same for all of them.
    VirtualEmployee in web.virtual_employees, global, rules {
        #[fixed] slug: String,
        name: String,
        title: String,
        description: Option<String>,
        source: EmployeeSource,
        source_ref: String,
        price_usd_monthly: Decimal,
        tags: Vec<String>,
        categories: Vec<String>,
        config_schema: Object,
        listed: bool,
        #[counter] version: i32,
    }
    filters {
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
        tag: String = "tags @> array[?]",
        category: String = "categories @> array[?]",
        source: EmployeeSource = "source = ?",
        listed: bool = "listed = ?",
    }
}

impl Rules for VirtualEmployee {
    async fn creating(
        _: &mut PgConnection,
        _: Everyone,
        new: &mut NewVirtualEmployee,
    ) -> Result<()> {
        configs::check_schema("virtual_employee.config_schema", &new.config_schema)
    }

    async fn updating(
        _: &mut PgConnection,
        _: Everyone,
        _: VirtualEmployeeId,
        patch: &mut VirtualEmployeePatch,
    ) -> Result<()> {
        let Some(schema) = &patch.config_schema else { return Ok(()) };
        configs::check_schema("virtual_employee.config_schema", schema)
    }
}
