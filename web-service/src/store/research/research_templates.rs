//! How a research is done, to be used again.

use crate::{
    configs,
    resource::{Object, Rules, resource},
};
use shared_db::{
    error::Result,
    ids::{OrganizationId, ResearchTemplateId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// How a research is done, to be used again.
    ResearchTemplate in web.research_templates, tenant, rules {
        name: String,
        description: Option<String>,
        prompt_template: String,
        input_schema: Object,
        items_max: i32,
        tags: Vec<String>,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        tag: String = "tags @> array[?]",
    }
    orders {
        "create_time desc" = created_at,
        "update_time desc" = updated_at,
    }
}

/// Items of a research when nothing is said.
const ITEMS_DEFAULT: i32 = 50;

impl Rules for ResearchTemplate {
    async fn creating(
        _: &mut PgConnection,
        _: OrganizationId,
        new: &mut NewResearchTemplate,
    ) -> Result<()> {
        if new.items_max == 0 {
            new.items_max = ITEMS_DEFAULT;
        }
        check(Some(new.prompt_template.as_str()), Some(&new.input_schema))
    }

    async fn updating(
        _: &mut PgConnection,
        _: OrganizationId,
        _: ResearchTemplateId,
        patch: &mut ResearchTemplatePatch,
    ) -> Result<()> {
        if patch.items_max == Some(0) {
            patch.items_max = Some(ITEMS_DEFAULT);
        }
        check(patch.prompt_template.as_deref(), patch.input_schema.as_ref())
    }
}

fn check(template: Option<&str>, schema: Option<&Object>) -> Result<()> {
    if let Some(it) = template {
        configs::check_template("research_template.prompt_template", it)?;
    }
    if let Some(it) = schema {
        configs::check_schema("research_template.input_schema", it)?;
    }
    Ok(())
}
