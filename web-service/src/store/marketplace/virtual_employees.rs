//! An agent that organizations can hire: the same for all of them.

use crate::{
    configs::schema_rules,
    resource::{Decimal, Object, resource},
    store::enums::EmployeeSource,
};
use shared_db::ids::VirtualEmployeeId;

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

schema_rules!(VirtualEmployee);
