//! What an action says of itself, checked as far as it can be before it is first used.

use super::kind;
use crate::{
    api::request,
    configs::refused,
    store::actions::core_actions::{CoreActionPatch, NewCoreAction},
};
use action_rules::schema;
use common_api::types::RetryPolicy;
use prost_types::Struct;
use serde_json::Value;
use shared_db::{
    enums::{ActionKind, RiskLevel, SideEffect},
    error::{Error, Result},
    json,
    service::Mask,
};
use web_api::v1::{self as pb, core_action::Kind};

const RETRY_BYTES_MAX: usize = 8192;

/// The action that a create asks for.
pub(super) fn new(action: pb::CoreAction) -> Result<NewCoreAction> {
    let (risk, side_effect) = (action.risk(), action.side_effect());
    let (kind, config) = kind::from_wire(action.kind, &kind::FIELDS)?;
    Ok(NewCoreAction {
        slug: action.slug,
        name: action.name,
        description: action.description,
        platform_id: action.platform_id.map(|it| request::id(PLATFORM, &it)).transpose()?,
        kind,
        config,
        input_schema: schema("input_schema", action.input_schema)?,
        output_schema: schema("output_schema", action.output_schema)?,
        risk: risk_or_default(risk),
        side_effect: side_effect_or(default_of(kind), side_effect),
        scopes: action.scopes,
        price_credits: action.price_credits,
        retry: retry(action.retry)?,
        disabled: action.disabled,
    })
}

/// What an update sets.
pub(super) fn patch(action: pb::CoreAction, mask: &Mask) -> Result<CoreActionPatch> {
    let risk = mask.pick("risk", action.risk());
    let side_effect = mask.pick("side_effect", action.side_effect());
    let platform_id = mask.pick("platform_id", action.platform_id);
    let kind = new_kind(action.kind, mask)?;
    let side_effect_default = kind.as_ref().map_or(SideEffect::AtMostOnce, |it| default_of(it.0));
    Ok(CoreActionPatch {
        name: mask.pick("name", action.name),
        description: mask.pick("description", action.description),
        platform_id: platform_id
            .map(|it| it.map(|it| request::id(PLATFORM, &it)).transpose())
            .transpose()?,
        kind,
        input_schema: mask
            .pick("input_schema", action.input_schema)
            .map(|it| schema("input_schema", it))
            .transpose()?,
        output_schema: mask
            .pick("output_schema", action.output_schema)
            .map(|it| schema("output_schema", it))
            .transpose()?,
        risk: risk.map(risk_or_default),
        side_effect: side_effect.map(|it| side_effect_or(side_effect_default, it)),
        scopes: mask.pick("scopes", action.scopes),
        price_credits: mask.pick("price_credits", action.price_credits),
        retry: mask.pick("retry", action.retry).map(retry).transpose()?,
        disabled: mask.pick("disabled", action.disabled),
    })
}

const PLATFORM: &str = "core_action.platform_id";

/// What the action does from now on, if the mask says so.
fn new_kind(kind: Option<Kind>, mask: &Mask) -> Result<Option<(ActionKind, Value)>> {
    let fields: Vec<_> = kind::FIELDS.into_iter().filter(|it| mask.has(it)).collect();
    if fields.is_empty() {
        return Ok(None);
    }
    kind::from_wire(kind, &fields).map(Some)
}

fn schema(field: &str, it: Option<Struct>) -> Result<Option<Value>> {
    let Some(it) = it else { return Ok(None) };
    let field = format!("core_action.{field}");
    let it = request::object(&field, it, schema::BYTES_MAX)?;
    schema::compile(&it).map_err(|fault| refused(fault, &field))?;
    Ok(Some(it))
}

fn retry(it: Option<RetryPolicy>) -> Result<Option<Value>> {
    let Some(it) = it else { return Ok(None) };
    if it.coefficient != 0.0 && it.coefficient < 1.0 {
        return Err(Error::invalid("core_action.retry.coefficient", "must be 0 or at least 1"));
    }
    let it = json::from_message(&it)?;
    request::short("core_action.retry", &it, RETRY_BYTES_MAX)?;
    Ok(Some(it))
}

/// What happens if an action of this kind is done twice, unless it says so.
fn default_of(kind: ActionKind) -> SideEffect {
    match kind {
        ActionKind::Http | ActionKind::Mcp => SideEffect::AtMostOnce,
        ActionKind::Transform => SideEffect::Pure,
    }
}

fn side_effect_or(default: SideEffect, it: common_api::types::SideEffect) -> SideEffect {
    SideEffect::from_wire(it).unwrap_or(default)
}

fn risk_or_default(it: pb::RiskLevel) -> RiskLevel {
    match it {
        pb::RiskLevel::Unspecified | pb::RiskLevel::Low => RiskLevel::Low,
        pb::RiskLevel::Medium => RiskLevel::Medium,
        pb::RiskLevel::High => RiskLevel::High,
    }
}

pub(super) fn risk_to_wire(it: RiskLevel) -> pb::RiskLevel {
    match it {
        RiskLevel::Low => pb::RiskLevel::Low,
        RiskLevel::Medium => pb::RiskLevel::Medium,
        RiskLevel::High => pb::RiskLevel::High,
    }
}
