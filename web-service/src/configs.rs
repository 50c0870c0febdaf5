//! Configurations and the JSON Schemas that they have to fit: what can be installed or hired says how it is configured.

use crate::resource::Object;
use action_rules::{
    Fault, schema,
    template::{self, Context},
};
use shared_db::error::{Error, Result};

/// Refuses what is no JSON Schema. `field` names it in the request.
pub fn check_schema(field: &str, schema: &Object) -> Result<()> {
    schema::compile(&schema.0).map(drop).map_err(|fault| refused(fault, field))
}

/// Refuses a configuration that does not fit its schema.
pub fn check_config(field: &str, schema: &Object, config: &Object) -> Result<()> {
    let schema = schema::compile(&schema.0).map_err(|fault| refused(fault, field))?;
    schema.validate(&config.0).map_err(|fault| refused(fault, field))
}

/// Why a configuration does not fit, one sentence for each place.
pub fn problems(schema: &Object, config: &Object) -> Result<Vec<String>> {
    let schema = schema::compile(&schema.0).map_err(|fault| refused(fault, "config_schema"))?;
    let sentence = |it: schema::Mismatch| match it.path.as_str() {
        "" => it.problem,
        path => format!("{path}: {}", it.problem),
    };
    Ok(schema.mismatches(&config.0).into_iter().map(sentence).collect())
}

/// Refuses what is no template.
pub fn check_template(field: &str, source: &str) -> Result<()> {
    template::compile(source, Context::Text).map(drop).map_err(|fault| refused(fault, field))
}

/// What a rule found wrong with `field`, as an error.
pub fn refused(fault: Fault, field: &str) -> Error {
    let fault = fault.within(field);
    Error::invalid_as(fault.reason, fault.field, fault.problem)
}

/// The rules of what says how it is configured: its `config_schema` is a JSON Schema.
macro_rules! schema_rules {
    ($offer:ident) => {
        impl crate::resource::Rules for $offer {
            async fn creating(
                _: &mut ::sqlx::PgConnection,
                _: Self::Owner,
                new: &mut Self::New,
            ) -> ::shared_db::error::Result<()> {
                let kind = <Self as crate::resource::Resource>::KIND;
                crate::configs::check_schema(&format!("{kind}.config_schema"), &new.config_schema)
            }

            async fn updating(
                _: &mut ::sqlx::PgConnection,
                _: Self::Owner,
                _: Self::Id,
                patch: &mut Self::Patch,
            ) -> ::shared_db::error::Result<()> {
                let Some(schema) = &patch.config_schema else { return Ok(()) };
                let kind = <Self as crate::resource::Resource>::KIND;
                crate::configs::check_schema(&format!("{kind}.config_schema"), schema)
            }
        }
    };
}
pub(crate) use schema_rules;
